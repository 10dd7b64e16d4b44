"""What a distilled network's report and last screen tell of its teachers."""

from collections.abc import Mapping
from typing import Any

from digits_ray.report.formatting import SIGNIFICANCE, p_value_text, percent


def distillation_lines(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns who taught, and how the distilled network compares, as names and texts; none of any other run.

    Args:
        metrics: What metrics.json holds.
    """
    told = metrics.get("distillation")
    if not told:
        return []
    lines = [("Teachers", told["which"])]
    if told["against_ensemble"]:
        ensemble = "the ensemble of its teachers" if len(told["teachers"]) > 1 else "its teacher"
        lines.append(("Against them", _against(told["against_ensemble"], ensemble)))
    if len(told["against_members"]) > 1:
        lines.append(("Against each", _against_members(told["against_members"])))
    return [*lines, ("Speed", _speed(told["speed"]))]


def _against(compared: Mapping[str, Any], name: str) -> str:
    low, high = (100 * bound for bound in compared["difference_ci95"])
    return (
        f"{100 * compared['difference']:+.2f} points to {name} ({percent(compared['accuracy'])}; 95 % interval "
        f"{low:+.2f} to {high:+.2f}) on {compared['rows']:,} held-out rows: it alone is right on "
        f"{compared['only_a_right']:,}, they alone on {compared['only_b_right']:,}: "
        f"{_verdict(compared)}"
    )


def _verdict(compared: Mapping[str, Any]) -> str:
    chance = f"McNemar’s {p_value_text(compared['p_value'])}"
    return f"{'no difference is shown' if compared['p_value'] >= SIGNIFICANCE else 'significant'} ({chance})"


def _against_members(members: list[Mapping[str, Any]]) -> str:
    better = sum(member["difference"] > 0 for member in members)
    worse = sum(member["difference"] < 0 for member in members)
    sure = sum(member["p_value"] < SIGNIFICANCE for member in members)
    mean = sum(member["accuracy"] for member in members) / len(members)
    return (
        f"more accurate than {better} of {len(members)} teachers, less than {worse} (their mean: {percent(mean)}); "
        f"McNemar’s p is below {SIGNIFICANCE:g} against {sure}"
    )


def _speed(speed: Mapping[str, Any]) -> str:
    members = "1 member" if speed["members"] == 1 else f"{speed['members']} members together"
    times = speed["distilled"] / speed["ensemble"]
    return (
        f"predicts {speed['distilled']:,.0f} images/s, {members} {speed['ensemble']:,.0f}: {times:.1f} times as fast "
        f"(median of {speed['rounds']} rounds of {speed['rows']:,} images, in turn)"
    )
