"""cluster/slurm.sbatch, run for real on this machine: only `srun` and `scontrol` are stand-ins."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import processes
import pytest
from waiting import LIMIT_SECONDS, alive, eventually

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "cluster" / "slurm.sbatch"

SCONTROL = """#!/usr/bin/env bash
[[ "$1 $2 $3" == "show hostnames node[1-2]" ]] && printf 'node1\\nnode2\\n'
"""

# Runs the command once for each node that it is given, and hands on SIGTERM as srun does.
SRUN = """#!/usr/bin/env bash
while [[ "$1" == --* ]]; do
    [[ "$1" == --nodelist=* ]] && nodes=${1#--nodelist=}
    echo "$1" >>"$TOLD/srun"
    shift
done
for node in ${nodes//,/ }; do
    "$@" &
    tasks+=("$!")
done
trap 'kill -TERM "${tasks[@]}"' TERM
wait "${tasks[@]}"
wait "${tasks[@]}"
"""


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts the script as Slurm would: on the first of two nodes, with what the job has in the environment."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in {"scontrol": SCONTROL, "srun": SRUN}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")},
        "PATH": f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TOLD": str(tmp_path),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_MEM_PER_NODE": "2048",
    }

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", str(SCRIPT), *words],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def left_over() -> list[str]:
    """The job's folders on its nodes."""
    return [str(path) for path in Path("/tmp").glob(f"digits-ray-{os.getpid()}-*")]


def test_the_job_trains_on_all_its_nodes_and_leaves_nothing_behind(
    job: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    run = job("--preset", "smoke", "--no-baselines", "--out", "run")
    output, errors = run.communicate(timeout=LIMIT_SECONDS)
    assert run.returncode == 0, output + errors
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert [member["status"] for member in metrics["members"]] == ["done", "done"]
    assert "on 2 of 2 nodes: node1 node2" in output
    assert "2 members at a time" in output + errors  # one CPU on each of the two nodes
    assert (tmp_path / "srun").read_text().count("--nodelist=node") == 2
    assert eventually(lambda: left_over() == []), left_over()


def test_the_exit_code_of_the_run_is_the_job_s(job: Callable[..., subprocess.Popen[str]]) -> None:
    run = job("--train", "missing.csv")
    _, errors = run.communicate(timeout=LIMIT_SECONDS)
    assert run.returncode == 2
    assert "missing.csv" in errors
    assert eventually(lambda: left_over() == []), left_over()


def test_a_job_out_of_time_ends_as_an_interrupted_run(
    job: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    run = job("--preset", "smoke", "--epochs", "1000", "--no-baselines", "--out", "run")
    started = tmp_path / "run" / "config.yaml"
    assert eventually(lambda: started.exists() or run.poll() is not None)
    everything = processes.descendants(run.pid)
    run.send_signal(signal.SIGTERM)  # what --signal=B:TERM sends, to this script alone
    output, errors = run.communicate(timeout=LIMIT_SECONDS)
    assert run.returncode == 130, output + errors
    assert "go on from their last saved epoch" in errors
    assert eventually(lambda: not any(alive(pid) for pid in everything))
    assert eventually(lambda: left_over() == []), left_over()


def test_a_job_without_digits_ray_says_what_to_do(job: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    bare = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "SLURM_JOB_ID": str(os.getpid())}
    refused = subprocess.run(["bash", str(SCRIPT)], env=bare, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert refused.returncode == 2
    assert "Activate its environment" in refused.stderr
