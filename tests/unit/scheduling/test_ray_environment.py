"""Variables of the environment that Ray reads."""

import sys

import pytest

from digits_ray.errors import UserError
from digits_ray.scheduling.ray_environment import check_core_settings


def test_a_setting_of_ray_s_core_that_crashes_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray")
    monkeypatch.setenv("RAY_num_workers_soft_limit", "two")
    with pytest.raises(UserError, match=r"cannot be imported with .*RAY_num_workers_soft_limit.*unset them"):
        check_core_settings()
    monkeypatch.setenv("RAY_num_workers_soft_limit", "2")
    check_core_settings()
