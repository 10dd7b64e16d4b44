"""Variables of the environment that Ray reads."""

import sys

import pytest

from digits_ray.errors import UserError
from digits_ray.scheduling.ray_environment import check_core_settings, variables_of_others


def test_a_setting_of_ray_s_core_that_crashes_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray")
    monkeypatch.setenv("RAY_num_workers_soft_limit", "two")
    with pytest.raises(UserError, match=r"cannot be imported with .*RAY_num_workers_soft_limit.*unset them"):
        check_core_settings()
    monkeypatch.setenv("RAY_num_workers_soft_limit", "2")
    check_core_settings()


@pytest.mark.parametrize(("mode", "named"), [("token", False), ("disabled", False), ("k8s", True)])
def test_the_mode_of_tokens_is_named_where_no_run_of_ours_has_it(
    mode: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With k8s, no member's process can start on this machine, and Ray does not say why."""
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    assert ("RAY_AUTH_MODE" in variables_of_others()) == named
