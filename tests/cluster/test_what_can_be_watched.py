"""What Ray's own metrics and logs tell of a run."""

from pathlib import Path

import pytest
import ray
from factories import spec_of
from training import train

from digits_ray.progress import MemberStatus, Progress
from digits_ray.tracking.ray_metrics import RunGauges

pytestmark = pytest.mark.slow


def test_gauges_carry_run_member_and_state(ray_here: None, monkeypatch) -> None:
    recorded: dict[tuple[str, ...], float] = {}

    def note(gauge, value: float, tags: dict[str, str]) -> None:
        recorded[gauge.info["name"], *tags.values()] = value

    monkeypatch.setattr("ray.util.metrics.Gauge.set", note)
    gauges = RunGauges("runs/first")
    gauges.set_members(
        [
            MemberStatus(0, "done"),
            MemberStatus(1, "training", 2, Progress(1, 3.5, 12, 0.25, 1500.0)),
            MemberStatus(2, "waiting"),
        ]
    )
    gauges.set_ensemble({"ensemble": {"holdout": {"accuracy": 0.99}}})
    gauges.set_ensemble({})
    assert recorded["digits_ray_members", "runs/first", "training"] == 1
    assert recorded["digits_ray_members", "runs/first", "failed"] == 0
    assert recorded["digits_ray_member_attempts", "runs/first", "001"] == 2
    assert recorded["digits_ray_member_epoch", "runs/first", "001"] == 3.5
    assert recorded["digits_ray_member_loss", "runs/first", "001"] == 0.25
    assert recorded["digits_ray_member_images_per_second", "runs/first", "001"] == 1500
    assert recorded["digits_ray_ensemble_accuracy", "runs/first"] == 0.99
    assert ("digits_ray_member_epoch", "runs/first", "002") not in recorded


def test_the_logs_of_a_node_name_member_and_attempt(ray_here: None, tmp_path: Path) -> None:
    specs = [spec_of(7, epochs=2), spec_of(8, architecture="unheard of")]
    train(specs, tmp_path)
    logs = Path(ray._private.worker._global_node.get_logs_dir_path()).glob("worker-*")
    text = "\n".join(log.read_text(errors="replace") for log in logs)
    assert "member 007, attempt 01-" in text
    assert ": done after 2 epochs" in text
    assert "member 008, attempt 02-" in text
    assert "KeyError: 'unheard of'" in text
