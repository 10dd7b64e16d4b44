"""A run on a cluster without a single GPU, which Ray's own autoscaler gives it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ALONE, LIMIT_SECONDS
from factories import write_kaggle_csv

pytestmark = pytest.mark.chaos

ISOLATED = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net"]
SCRIPT = Path(__file__).parents[1] / "support/autoscaled.py"


def test_nodes_come_for_the_members_and_go_after_them(tmp_path: Path) -> None:
    if subprocess.run([*ISOLATED, "true"], capture_output=True).returncode:
        pytest.skip("no namespace of its own can be made here")
    train, out = write_kaggle_csv(tmp_path / "train.csv.gz", labelled=90), tmp_path / "run"
    recipe = ["--members", 2, "--epochs", 60, "--set", "members.recipe.batch_size=16"]
    nodes = ["--gpus-per-member", 1, "--set", "resources.wait_minutes=5"]
    words = ["run", *ALONE, "--preset", "smoke", *recipe, *nodes, "--train", train, "--out", out]
    command = [*ISOLATED, sys.executable, str(SCRIPT), *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Waiting up to 5 minutes for a node" in result.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert [member["status"] for member in metrics["members"]] == ["done", "done"]
    assert "nodes at the end: 1" in result.stdout  # the head
