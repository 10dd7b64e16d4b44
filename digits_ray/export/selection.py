"""Which members are exported: `--members`."""

from collections.abc import Sequence

from digits_ray.errors import UserError


def selected_members(text: str, finished: Sequence[int]) -> list[int]:
    """Returns the ids that `--members` names, ascending.

    Args:
        text: "all", or ids such as "0,3,7".
        finished: The ids of the finished members.

    Raises:
        UserError: it names none, or one that is not finished.
    """
    if text == "all":
        return sorted(finished)
    try:
        wanted = sorted({int(each) for each in text.split(",")})
    except ValueError:
        raise UserError(f"--members {text}: not all, nor ids such as 0,3,7.") from None
    for member_id in wanted:
        if member_id not in finished:
            raise UserError(f"--members {text}: no member {member_id} is finished. Finished: {_ranges(finished)}.")
    return wanted


def _ranges(ids: Sequence[int]) -> str:
    """Returns "0 to 3, 5" for 0, 1, 2, 3, 5."""
    ranges: list[list[int]] = []
    for each in sorted(ids):
        if ranges and each == ranges[-1][-1] + 1:
            ranges[-1].append(each)
        else:
            ranges.append([each])
    return ", ".join(f"{first[0]} to {first[-1]}" if len(first) > 1 else str(first[0]) for first in ranges)
