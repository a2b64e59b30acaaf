"""Config is typed, and every mistake is told at once."""

from __future__ import annotations

import pytest

from trivet.core.errors import ConfigError
from trivet.infra.settings import EndpointSettings, Settings

GOOD = {"cloud": "local", "environment": "dev", "region": "local"}


def test_config_values_are_text_and_become_settings() -> None:
    settings = Settings.of({**GOOD, "regulated": "true", "endpoints": '["loan", {"name": "churn", "port": 8123}]'})
    assert settings.regulated
    assert settings.endpoints == (EndpointSettings(name="loan"), EndpointSettings(name="churn", port=8123))


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
    ],
)
def test_settings_agree(change: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Settings.of({**GOOD, **change})
