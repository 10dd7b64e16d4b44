"""What nvidia-smi says of a machine's GPUs. It touches no GPU, which a backend does as soon as it is asked for one."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

MIB_PER_GIB = 1024
DEADLINE_SECONDS = 10.0  # it may last seconds where the driver does not stay loaded
GPU_FIELDS = "index,uuid,memory.total,memory.used,name"
PROCESS_FIELDS = "gpu_uuid,pid,process_name"


@dataclass(frozen=True)
class Gpu:
    """One GPU, and what is on it at this moment."""

    index: int  # as the machine counts
    name: str
    total_mib: int
    used_mib: int  # by whatever process
    processes: tuple[str, ...] = ()  # "4711 (python)", or "4711"; none where they cannot be seen, e.g. in a container

    @property
    def total_gib(self) -> float:
        return self.total_mib / MIB_PER_GIB

    @property
    def used_gib(self) -> float:
        return self.used_mib / MIB_PER_GIB


def read_gpus(visible: str = "") -> tuple[Gpu, ...]:
    """Returns the GPUs of this machine; none where the tool is missing, fails or does not know their memory.

    Args:
        visible: Those alone that this names, as CUDA_VISIBLE_DEVICES does; "": all.
    """
    try:
        with ThreadPoolExecutor(1) as thread:
            asked = thread.submit(lambda: list(_processes()))
            rows = [line.split(", ", 4) for line in _query(f"--query-gpu={GPU_FIELDS}", *_only(visible))]
            processes = asked.result()
        return tuple(
            Gpu(int(index), name, int(total), int(used), tuple(text for on, text in processes if on == uuid))
            for index, uuid, total, used, name in rows
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()


def gpu_memory_mib() -> int | None:
    """Returns the MiB of the first GPU that is visible to this process; None where that is unknown."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    try:
        return int(_query("--query-gpu=memory.total", *_only(first))[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def _only(visible: str) -> list[str]:
    return [f"--id={visible}"] if visible else []


def _processes() -> Iterator[tuple[str, str]]:
    """Yields the GPU's id and "4711 (python)", or "4711", of each process that computes on a GPU."""
    for line in _query(f"--query-compute-apps={PROCESS_FIELDS}"):
        uuid, pid, path = line.split(", ", 2)
        known = not path.startswith("[")  # such as [Not Found]
        yield uuid, f"{pid} ({path.rsplit('/', 1)[-1]})" if known else pid


def _query(*options: str) -> list[str]:
    command = ["nvidia-smi", *options, "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, timeout=DEADLINE_SECONDS, text=True, check=True)
    return done.stdout.splitlines()
