"""When a schedule is due: written as EventBridge Scheduler writes it, checked before a cloud is asked.

Source: "Schedule types", the guide of EventBridge Scheduler.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from zoneinfo import available_timezones

from trivet.core.errors import ConfigError

HOW = "write `rate(1 day)`, or `cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR)`"
_RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\)")
_CRON = re.compile(r"cron\((.*)\)")
_MOST = 256  # characters
_HOURS_A_DAY = 24
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_NAMED = re.compile("|".join(_DAYS))


def expression(text: str) -> str:
    """A schedule that recurs.

    :raises ValueError: saying what is wrong with it.
    """
    if len(text) > _MOST:
        raise ValueError(f"it has more than {_MOST} characters")
    if cron := _CRON.fullmatch(text):
        return _cron(text, cron[1])
    if not _RATE.fullmatch(text):
        raise ValueError(f"{text!r} is no schedule: {HOW}; of one it is `minute`, `hour`, `day`, of more `days`")
    return text


def _cron(text: str, fields: str) -> str:
    from aws_cron_expression_validator.validator import AWSCronExpressionError, AWSCronExpressionValidator

    try:
        AWSCronExpressionValidator.validate(fields)
    except AWSCronExpressionError as error:
        reason = re.split(r"\.(?=[A-Z]|$)", str(error))[0]  # its first sentence
        raise ValueError(f"{text!r} is no schedule: {reason}; {HOW}, with `?` for DAY or WEEKDAY") from None
    return text


def timezone(name: str) -> str:
    """A time zone that is known.

    :raises ValueError: naming the nearest one.
    """
    known = available_timezones()
    if name not in known:
        near = get_close_matches(name, known, n=1)
        raise ValueError(f"{name!r} is no time zone; {f'did you mean {near[0]}?' if near else 'such as Europe/Berlin'}")
    return name


def crontab(text: str) -> str:
    """The same for Cloud Scheduler: five fields of a crontab, or ``every N minutes`` and ``every N hours``.

    Source: Cloud Scheduler, "Cron job format and time zone", and ``schedule`` in its API reference.

    :raises ConfigError: for what a crontab cannot say: a year, and days counted from a month's end or by weekday.
    """
    if rate := _RATE.fullmatch(text):
        count, unit = rate[1].split()
        unit = unit.rstrip("s")
        return f"every {int(count) * _HOURS_A_DAY} hours" if unit == "day" else f"every {count} {unit}s"
    minute, hour, day, month, weekday, year = text.removeprefix("cron(").removesuffix(")").upper().split()
    if year != "*" or re.search(r"[LW#]", f"{day} {re.sub(_NAMED, '', weekday)}"):
        raise ConfigError(
            f"{text!r} cannot be said on Google Cloud, whose crontab has no years and no L, W or #.",
            "Write `*` for YEAR, and plain days.",
        )
    fields = [_stepped(one, most) for one, most in ((minute, 59), (hour, 23), (day, 31), (month, 12))]
    return " ".join([*fields, _weekday(weekday)]).replace("?", "*")


def _stepped(field: str, most: int) -> str:
    """``5/15`` is from the fifth on, every fifteenth: a crontab names the range."""
    return ",".join(re.sub(r"^(\d+)/", rf"\1-{most}/", part) for part in field.split(","))


def _weekday(field: str) -> str:
    """AWS counts Sunday as 1, a crontab as 0; what is behind a stroke is no day."""
    found = re.sub(_NAMED, lambda name: str(_DAYS.index(name[0])), re.sub(r"(?<!/)\b\d\b", _less, field))
    return _stepped(found, len(_DAYS) - 1)


def _less(day: re.Match[str]) -> str:
    return str(int(day[0]) - 1)
