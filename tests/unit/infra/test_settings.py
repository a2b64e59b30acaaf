"""Config is typed, and every mistake is told at once."""

from __future__ import annotations

import json

import pytest

from trivet.clouds import CLOUDS
from trivet.core.errors import ConfigError
from trivet.core.named import named
from trivet.infra import names
from trivet.infra.settings import ComponentSettings, EndpointSettings, Settings

GOOD = {"cloud": "local", "environment": "dev", "region": "local"}


def test_config_values_are_text_and_become_settings() -> None:
    settings = Settings.of({**GOOD, "regulated": "true", "endpoints": '["loan", {"name": "churn", "port": 8123}]'})
    assert settings.regulated
    assert settings.endpoints == (EndpointSettings(name="loan"), EndpointSettings(name="churn", port=8123))


def test_every_cloud_says_which_names_it_takes_and_can_tell_what_is_left() -> None:
    for cloud in CLOUDS.values():
        assert (cloud.naming is None) == (cloud.name == "local"), cloud.name
        assert callable(named(str(cloud.left))), cloud.name


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.of({"cloud": "heaven", "environment": "test", "endpoints": "loan", "regulated": "perhaps"})
    for part in ("heaven", "local", "environment", "region", "endpoints", "regulated", "pulumi config set trivet:KEY"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"region": "mars"}, "mars"),
        ({"endpoints": '["a", "a"]'}, "same name"),
        ({"endpoints": '["Not A Name"]'}, "endpoints"),
        ({"endpoints": '[{"name": "a", "port": 80}]'}, "1024"),
        ({"schedules": '[{"name": "a", "at": "daily"}]'}, "schedules"),
        ({"schedules": '[{"name": "a", "at": "cron(0 3 * * *)"}]'}, "schedules"),
        ({"schedules": '[{"name": "a", "at": "rate(1 day)"}, {"name": "a", "at": "rate(2 days)"}]'}, "same name"),
    ],
)
def test_settings_agree(change: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Settings.of({**GOOD, **change})


@pytest.mark.parametrize(
    "at",
    [
        *("rate(1 minute)", "rate(1 hour)", "rate(2 days)", "rate(10 minutes)", "rate(100 hours)"),
        *("cron(0 3 * * ? *)", "cron(0/15 8-17 ? * MON-FRI *)", "cron(0 0 L * ? *)", "cron(0 0 15W * ? 2026-2030)"),
        *("cron(*/5 0,12 1,15 JAN,FEB ? *)", "cron(0 0 ? * 3#2 *)", "cron(0 0 ? * 6L *)"),
    ],
)
def test_a_schedule_may_be_all_that_aws_takes(at: str) -> None:
    [schedule] = Settings.of({**GOOD, "schedules": json.dumps([{"name": "a", "at": at}])}).schedules
    assert (schedule.at, schedule.timezone) == (at, "UTC")


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ({"at": "rate(1 days)"}, "'rate\\(1 days\\)' is no schedule"),
        ({"at": "rate(2 day)"}, "is no schedule"),
        ({"at": "rate(0 days)"}, "is no schedule"),
        ({"at": "at(2026-12-01T00:00:00)"}, "is no schedule: write `rate"),
        ({"at": "cron(99 99 ? ? ? x)"}, "Invalid combination of day-of-month '\\?' and day-of-week '\\?'"),
        ({"at": "cron(99 3 * * ? *)"}, "Invalid minute value '99'"),
        ({"at": "cron(0 24 * * ? *)"}, "Invalid hour value"),
        ({"at": "cron(0 3 32 * ? *)"}, "Invalid day-of-month value"),
        ({"at": "cron(0 3 * 13 ? *)"}, "Invalid month value"),
        ({"at": "cron(0 3 ? * 0 *)"}, "Invalid day-of-week value"),
        ({"at": "cron(0 3 * * ? x)"}, "Invalid year value"),
        ({"at": "cron(0 3 * * * *)"}, "with `\\?` for DAY or WEEKDAY"),
        ({"at": "cron(0 3 * * ?)"}, "6 required, 5 provided"),
        ({"at": f"cron(0 3 {','.join(['1'] * 200)} * ? *)"}, "more than 256 characters"),
        ({"at": "cron(0 3 * * ? *)", "timezone": "Europe/Berln"}, "did you mean Europe/Berlin"),
        ({"at": "cron(0 3 * * ? *)", "timezone": "../UTC"}, "is no time zone"),
    ],
)
def test_a_schedule_that_aws_would_refuse_is_refused_before(schedule: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Settings.of({**GOOD, "schedules": json.dumps([{"name": "a", **schedule}])})


def test_what_is_used_may_be_an_output_of_a_program_and_nothing_else_than_ids() -> None:
    class Known:
        """What Pulumi's outputs have."""

        def apply(self, _: object) -> None:
            """Nothing is asked of it."""

    later = Known()
    assert ComponentSettings.model_validate({"vpc": later, "subnets": [later, "subnet-1"]}).use["vpc"] is later
    for wrong in ({"vpc": 1}, {"vpc": None}, {"subnets": ["a", {}]}):
        with pytest.raises(ValueError, match="no id and no list of ids"):
            ComponentSettings.model_validate(wrong)


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ({"environment": "dev"}, "off"),
        ({"environment": "prod"}, "create"),
        ({"environment": "dev", "regulated": "true"}, "create"),
        ({"environment": "dev", "database": "create"}, "create"),
        ({"environment": "prod", "database": "off"}, "off"),
    ],
)
def test_the_environment_decides_about_the_database_where_config_says_nothing(said: dict[str, str], mode: str) -> None:
    assert Settings.of({"cloud": "local", "region": "local", **said}).database.mode == mode


def test_config_may_release_what_the_environment_protects() -> None:
    assert Settings.of({**GOOD, "environment": "prod"}).profile().protects
    assert not Settings.of({**GOOD, "environment": "prod", "protect": "false"}).profile().protects
    assert Settings.of({**GOOD, "protect": "true"}).profile().protects
    assert Settings.of({**GOOD, "environment": "prod", "protect": "false"}).profile().database_metrics


@pytest.mark.parametrize(("stack", "refused"), [("aws-prod", True), ("gcp", True), ("local", False), ("awsome", False)])
def test_a_stack_named_after_another_cloud_is_refused(stack: str, refused: bool) -> None:
    settings = Settings.of(GOOD)
    if not refused:
        names.check(settings, "lending", stack)
        return
    with pytest.raises(ConfigError, match=f"The stack '{stack}' is named after"):
        names.check(settings, "lending", stack)
