"""`export --members`."""

import pytest

from digits_ray.errors import UserError
from digits_ray.export import selected_members


def test_all_finished_members_or_those_that_are_named() -> None:
    assert selected_members("all", [2, 0, 1]) == [0, 1, 2]
    assert selected_members("2, 0,2", [0, 1, 2]) == [0, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,7", "--members 0,7: no member 7 is finished. Finished: 0 to 2, 5."),
        ("first", "--members first: not all, nor ids such as 0,3,7."),
        ("", "--members : not all, nor ids"),
    ],
)
def test_what_is_no_finished_member_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        selected_members(text, [0, 1, 2, 5])
    assert message in str(refused.value)
