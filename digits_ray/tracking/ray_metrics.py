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


class Meters:
    """What the driver knows of a run, as gauges."""

    def __init__(self, run: str) -> None:
        self._run = {"run": quote(run, safe=punctuation + " ")}  # Ray takes ASCII alone, and raises at the rest
        self._members = _gauge("members", "Members by state.", "state")
        self._attempts = _gauge("member_attempts", "Attempts that a member has needed so far.", "member")
        self._epoch = _gauge("member_epoch", "Epochs that a member has finished, the running one in part.", "member")
        self._loss = _gauge("member_loss", "Training loss of a member's running epoch so far.", "member")
        self._speed = _gauge("member_images_per_second", "Images that a member trains on in a second.", "member")
        self._accuracy = _gauge("ensemble_accuracy", "Accuracy of the ensemble so far on the rows that were held out.")

    def members(self, statuses: list[MemberStatus]) -> None:
        """Notes how far every member is."""
        counts = Counter(status.state for status in statuses)
        for state in get_args(State):
            self._members.set(counts[state], self._run | {"state": state})
        for status in statuses:
            self._member(status)

    def ensemble(self, written: Mapping[str, Any]) -> None:
        """Notes the ensemble so far; `written` is what metrics.json holds."""
        if written and written["ensemble"]["holdout"]:
            self._accuracy.set(written["ensemble"]["holdout"]["accuracy"], self._run)

    def _member(self, status: MemberStatus) -> None:
        tags = self._run | {"member": f"{status.member_id:03d}"}
        self._attempts.set(status.attempt, tags)
        if progress := status.progress:
            self._epoch.set(progress.epoch, tags)
            self._loss.set(progress.loss or 0.0, tags)
            self._speed.set(progress.images_per_second or 0.0, tags)


def _gauge(name: str, description: str, *tags: str) -> metrics.Gauge:
    return metrics.Gauge(f"digits_ray_{name}", description, ("run", *tags))
