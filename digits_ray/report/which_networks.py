"""Which networks a run's accuracies are of, and which its labels, in words."""

from collections.abc import Mapping
from typing import Any


def which_networks(metrics: Mapping[str, Any]) -> str:
    """Returns what a reader of the accuracies must know where members are trained once more; "" where they are not.

    Args:
        metrics: What metrics.json holds.
    """
    refitted = (metrics.get("ensemble") or {}).get("refitted")
    if refitted is None:
        return ""
    scored = "All held-out accuracies are those of the first networks, none of which saw the rows that score it."
    if not refitted:
        return f"{scored} No refit votes yet: the same networks label the submission and predict."
    networks = "network that was" if len(refitted) == 1 else f"{len(refitted)} networks that were"
    others = metrics["ensemble"]["members_used"] - len(refitted)
    beside = f", and from {others} of the first networks, whose refit was given up" if others else ""
    return (
        f"{scored} The submission, and what this run predicts, come from the {networks} trained once more on all "
        f"labelled rows{beside}. No labelled row is left to score them on."
    )


def failed_refits(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns the entries of members whose refit was given up."""
    return [member for member in metrics.get("members", []) if member.get("refit", {}).get("status") == "failed"]
