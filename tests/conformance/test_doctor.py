from __future__ import annotations

from trivet.core.platform import Platform


def test_on_a_stack_that_is_whole_nothing_fails(platform: Platform) -> None:
    checks = list(platform.doctor())
    assert len(checks) >= 4
    assert [check for check in checks if check.level == "fail"] == []
    assert all(check.note for check in checks)
