"""The run in Ray's own metrics, which its dashboard, Prometheus and Grafana show.

Names begin with `ray_digits_ray_` there. Tags: `run` (the run directory), and `member` or `state`.
"""

from collections import Counter
from collections.abc import Mapping
from string import punctuation
from typing import Any, get_args
from urllib.parse import quote

from ray.util import metrics

from digits_ray.progress import MemberStatus, State


class RunGauges:
    """What the driver knows of a run, as gauges."""

    def __init__(self, run: str) -> None:
        self._run_tag = {"run": quote(run, safe=punctuation + " ")}  # Ray raises on anything but ASCII
        self._members = _gauge("members", "Members by state.", "state")
        self._attempts = _gauge("member_attempts", "Attempts that a member has needed so far.", "member")
        self._epoch = _gauge("member_epoch", "Epochs that a member has finished, the running one in part.", "member")
        self._loss = _gauge("member_loss", "Training loss of a member's running epoch so far.", "member")
        self._speed = _gauge("member_images_per_second", "Images that a member trains on in a second.", "member")
        self._accuracy = _gauge("ensemble_accuracy", "Accuracy of the ensemble so far on the rows that were held out.")

    def set_members(self, statuses: list[MemberStatus]) -> None:
        """Sets the gauges of how far every member is."""
        counts = Counter(status.state for status in statuses)
        for state in get_args(State):
            self._members.set(counts[state], self._run_tag | {"state": state})
        for status in statuses:
            self._set_member(status)

    def set_ensemble(self, metrics: Mapping[str, Any]) -> None:
        """Sets the ensemble's accuracy so far; `metrics` is what metrics.json holds."""
        if metrics and metrics["ensemble"]["holdout"]:
            self._accuracy.set(metrics["ensemble"]["holdout"]["accuracy"], self._run_tag)

    def _set_member(self, status: MemberStatus) -> None:
        tags = self._run_tag | {"member": f"{status.member_id:03d}"}
        self._attempts.set(status.attempt, tags)
        if progress := status.progress:
            self._epoch.set(progress.epoch, tags)
            self._loss.set(progress.loss or 0.0, tags)
            self._speed.set(progress.images_per_second or 0.0, tags)


def _gauge(name: str, description: str, *tags: str) -> metrics.Gauge:
    return metrics.Gauge(f"digits_ray_{name}", description, ("run", *tags))
