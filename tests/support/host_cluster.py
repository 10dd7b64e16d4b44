"""A Ray cluster on hosts of their own, with S3 storage on another one, and runs that a driver on yet another starts."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from commands import ALONE
from factories import write_kaggle_csv
from hosts import Host, hosts
from processes import member_actors
from s3_server import BUCKET, ENVIRONMENT, S3, serving, serving_at
from waiting import LIMIT_SECONDS, eventually

RAY = str(Path(sys.executable).with_name("ray"))
HEAD_PORT = 6379
SMALL = [*ALONE, "--preset", "smoke", "--cpus-per-member", 1, "--set", "members.recipe.batch_size=16"]
# Storage is given up, and another driver's lease run out, sooner than by default; so is a head that is gone.
SOONER = {
    "report": False,
    "digits_ray.storage.lease:RENEW_SECONDS": 1.0,
    "digits_ray.storage.lease:EXPIRY_SECONDS": 10.0,
    "digits_ray.scheduling.session:HEAD_SECONDS": 5,
}


@dataclass
class Run:
    """A `digits-ray run` on the driver's host."""

    process: "subprocess.Popen[bytes]"
    output: Path  # without its suffix

    @property
    def stdout(self) -> str:
        return self.output.with_suffix(".out").read_text()

    @property
    def stderr(self) -> str:
        return self.output.with_suffix(".err").read_text()

    def end(self) -> int:
        """Waits for its end; returns its exit code."""
        return self.process.wait(LIMIT_SECONDS)


@dataclass
class HostCluster:
    """Hosts: `head`, the workers, `driver` (a node without CPUs) and `storage`."""

    hosts: dict[str, Host]
    s3: S3
    folder: Path
    environment: dict[str, str]
    nodes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)  # `ray start`, by its host's name

    def start_node(self, name: str, *words: object) -> None:
        """Runs `ray start` on a host."""
        host = self.hosts[name]
        command = [RAY, "start", "--block", f"--node-ip-address={host.address}", "--object-store-memory=100000000"]
        self.nodes[name] = host.start(*command, *words, output=self.folder / name, environment=self.environment)

    def await_nodes(self) -> None:
        for name, node in self.nodes.items():
            log = self.folder / f"{name}.out"
            eventually(lambda log=log, node=node: "Ray runtime started" in log.read_text() or node.poll() is not None)
            assert node.poll() is None, log.read_text() + log.with_suffix(".err").read_text()

    def run(self, out: str, *words: object, **altered: object) -> Run:
        """Starts a run of this name in the bucket."""
        number = len(list(self.folder.glob("run-*.out")))
        begin = [sys.executable, "-m", "altered", json.dumps(SOONER | altered), "run", *SMALL]
        where = ["--train", self.folder / "train.csv.gz", "--out", f"s3://{BUCKET}/{out}", "--address", self.address]
        output = self.folder / f"run-{number}"
        command = [*begin, *words, *where]
        return Run(self.hosts["driver"].start(*command, output=output, environment=self.environment), output)

    @property
    def address(self) -> str:
        return f"{self.hosts['head'].address}:{HEAD_PORT}"

    def members_on(self, name: str) -> int:
        return len(member_actors(self.nodes[name].pid))

    def saved_epochs(self, out: str) -> dict[str, int]:
        """The last saved epoch of each unfinished member, by the name of its folder."""
        names = [name.split("/") for name in self.s3.names if name.startswith(f"{out}/members/") and "/epoch-" in name]
        saved = [(folders[2], int(Path(folders[-1]).stem.removeprefix("epoch-"))) for folders in names]
        return dict(sorted(saved))  # of several epochs, the last


@contextmanager
def cluster_on_hosts(workers: dict[str, int], folder: Path) -> Iterator[HostCluster]:
    """Runs the body with a cluster on hosts; `workers` are the CPUs of each worker, by its host's name."""
    with hosts("head", *workers, "driver", "storage", folder=folder) as made, serving() as s3:
        by_name = {host.name: host for host in made}
        with by_name["storage"].listen() as listener, serving_at(listener, s3) as endpoint:
            cluster = HostCluster(by_name, s3, folder, _environment(endpoint))
            cluster.start_node("head", "--head", f"--port={HEAD_PORT}", "--num-cpus=0", "--include-dashboard=false")
            cluster.await_nodes()
            for name, cpus in {**workers, "driver": 0}.items():
                cluster.start_node(name, f"--address={cluster.address}", f"--num-cpus={cpus}")
                cluster.await_nodes()  # one by one: on a loaded machine, nodes that start together run out of time
            write_kaggle_csv(folder / "train.csv.gz", labelled=90)
            yield cluster


def _environment(endpoint: str) -> dict[str, str]:
    """What all hosts have, beside ours: one token, and the storage."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)}
    return {**ENVIRONMENT, **token, "AWS_ENDPOINT_URL": endpoint, "RAY_USAGE_STATS_ENABLED": "0"}
