"""Runs `digits-ray` with the words given to it, members in numpy, on a Ray cluster of its own that grows and shrinks.

At first there is a head without a CPU. Ray's fake node provider starts real nodes on this machine, but wants port 6379;
so this is meant for a network namespace.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from commands import NUMPY_MEMBERS, command_of

HEAD = "f" * 51 + "00000"  # the id of the head in Ray's fake provider
NO_TABLES = ("auth", "docker", "file_mounts")
NO_LISTS = (
    "initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands",
    "head_start_ray_commands", "worker_start_ray_commands", "cluster_synced_files", "rsync_exclude", "rsync_filter",
)  # fmt: skip
CLUSTER = {
    **{name: {} for name in NO_TABLES},
    **{name: [] for name in NO_LISTS},
    "file_mounts_sync_continuously": False,
    "cluster_name": "growing",
    "max_workers": 2,
    "upscaling_speed": 1.0,
    "idle_timeout_minutes": 0.25,
    "provider": {
        "type": "external",
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "launch_multiple": True,
        "head_node_id": HEAD,
        "disable_node_updaters": True,
    },
    "head_node_type": "ray.head.default",
    "available_node_types": {
        "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "gpu": {"resources": {"CPU": 1, "GPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": 2},
    },
}
AUTOSCALING = {
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    "RAY_FAKE_CLUSTER": "1",
    "RAY_enable_autoscaler_v2": "1",
    "RAY_CLOUD_INSTANCE_ID": HEAD,
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
}
IFF_UP, SIOCSIFFLAGS = 1, 0x8914  # linux/if.h, linux/sockios.h
ADDRESS = "127.0.0.1:6379"


def main(words: list[str]) -> int:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:  # a short path: sockets lie there
        start_head(Path(folder))
        run = subprocess.run(command_of((*words, "--address", ADDRESS), NUMPY_MEMBERS))
        print("nodes at the end:", nodes_once_idle())
        return run.returncode


def start_head(folder: Path) -> None:
    config = folder / "cluster.json"
    config.write_text(json.dumps(CLUSTER))
    start = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--head", "--port=6379"]
    words = ["--num-cpus=0", "--include-dashboard=false", f"--autoscaling-config={config}", f"--temp-dir={folder}"]
    subprocess.run([*start, *words], env={**os.environ, **AUTOSCALING}, check=True, stdout=subprocess.DEVNULL)


def nodes_once_idle(limit_seconds: float = 120) -> int:
    """How many nodes there are when those that nobody needs have gone, or after a while."""
    from ray._raylet import GcsClient

    deadline = time.monotonic() + limit_seconds
    while (alive := living(GcsClient(address=ADDRESS))) > 1 and time.monotonic() < deadline:
        time.sleep(1)
    return alive


def living(client: object) -> int:
    return sum(node.state == 0 for node in client.get_all_node_info().values())  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
