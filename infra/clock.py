"""When a schedule is due, checked before AWS is asked: "Schedule types", the guide of EventBridge Scheduler."""

from __future__ import annotations

import re
from difflib import get_close_matches
from zoneinfo import available_timezones

HOW = "write `rate(1 day)`, or `cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR)`"
_RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\)")
_CRON = re.compile(r"cron\((.*)\)")
_MOST = 256  # characters


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
