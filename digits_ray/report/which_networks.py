"""Which networks a run's accuracies are of, which its labels, and how good these are where test rows have labels."""

from collections.abc import Mapping
from statistics import mean
from typing import Any

from digits_ray.ensemble import Scores
from digits_ray.report.formatting import percent, percent_with_interval


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
        f"labelled rows{beside}. No held-out row is left to score them on."
    )


def networks_per_row(metrics: Mapping[str, Any]) -> str:
    """Returns whose the held-out scores are where fewer networks score a row than vote; "" where all do.

    Args:
        metrics: What metrics.json holds.
    """
    return ((metrics.get("ensemble") or {}).get("networks_per_row") or {}).get("text", "")


def is_single_network(metrics: Mapping[str, Any]) -> bool:
    """Returns whether the run is of one network by itself, as a distilled one is: there is no ensemble.

    Args:
        metrics: What metrics.json holds.
    """
    return len(metrics.get("members", ())) == 1 and not baselines_vote(metrics)


def baselines_vote(metrics: Mapping[str, Any]) -> bool:
    """Returns whether classical models have a weight in the vote.

    Args:
        metrics: What metrics.json holds.
    """
    return (metrics.get("ensemble") or {}).get("method") == "weighted mean"


def scored_networks(metrics: Mapping[str, Any]) -> str:
    """Returns whose the held-out scores are: "ensemble of 4", "network", "2 networks a row, not the ensemble".

    Args:
        metrics: What metrics.json holds.
    """
    alone = "network" if is_single_network(metrics) else f"ensemble of {metrics['ensemble']['members_used']}"
    return networks_per_row(metrics) or alone


def ensemble_line(metrics: Mapping[str, Any]) -> str:
    """Returns "ensemble of 4: 98.61 % (95.10–99.60 %, n = 144)", or whose the accuracy is.

    Args:
        metrics: What metrics.json holds.
    """
    scores = metrics["ensemble"]["holdout"]
    return scored_networks(metrics) + (f": {percent_with_interval(Scores.from_json(scores))}" if scores else "")


def accuracy_on_test_rows(metrics: Mapping[str, Any]) -> str:
    """Returns how good the ensemble is on labelled test rows; "" where there are none, or the run is not over.

    Args:
        metrics: What metrics.json holds.
    """
    scores = metrics.get("test")
    if not scores:
        return ""
    low, high = scores["accuracy_ci95"]
    members = [member for member in metrics["members"] if "test" in member]
    first = [member["test"] for member in members]
    voting = [member.get("refit", {}).get("test", member["test"]) for member in members]
    single = [f"its networks {_mean_accuracy(voting)} on average"]
    single += [f"the first networks {_mean_accuracy(first)}"] * (voting != first)
    unscored = scores["rows_not_scored"]
    left_out = f" {unscored:,} more have no label, or that of no training row." if unscored else ""
    return (
        f"{percent(scores['accuracy'])} of {scores['rows']:,} labelled test rows (95 % interval {100 * low:.2f} to "
        f"{100 * high:.2f} %); {', '.join(single)}. Scored once, at the end: they chose nothing.{left_out}"
    )


def _mean_accuracy(scores: list[Mapping[str, Any]]) -> str:
    return percent(mean(each["accuracy"] for each in scores))


def failed_refits(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns the entries of members whose refit was given up."""
    return [member for member in metrics.get("members", []) if member.get("refit", {}).get("status") == "failed"]
