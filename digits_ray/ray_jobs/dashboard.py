"""A cluster's dashboard: starts jobs, reports their state, serves their logs and files.

Everything here goes over one HTTP port, so that a laptop outside the cluster's network needs no other.
"""

import logging
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

from digits_ray.errors import UserError
from digits_ray.paths import local_path
from digits_ray.ray_jobs.proxy import Proxy, is_loopback, proxy_for
from digits_ray.scheduling import ray_internals

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
CONNECT_SECONDS = 10
ANSWER_SECONDS = 120.0  # that a request may take: a frozen head, or the far end of a tunnel, never answers
READY_SECONDS = 60.0  # that a head may take, once it has started, before it accepts jobs
READY_POLL_SECONDS = 1.0
OLDEST_IMAGE = "2.60.0-py311"  # of rayproject/ray
_NOT_READY = re.compile(r"try again later|50[0234] Server Error|status code 50[234]")
_Result = TypeVar("_Result")
_SCHEMES = ("http://", "https://")
_ADDRESS_HELP = (
    "Give --address the dashboard's address; a dashboard inside a cluster is reached by"
    " `ssh -L 8265:127.0.0.1:8265 HEAD` or `kubectl port-forward service/HEAD 8265`."
)


def default_address() -> str:
    """Returns the dashboard's address that Ray's own commands would use."""
    ray_address = os.environ.get("RAY_ADDRESS", "")  # some set it to the dashboard, some to the cluster itself
    fallback = ray_address if ray_address.startswith(_SCHEMES) else DEFAULT_ADDRESS
    return os.environ.get("RAY_API_SERVER_ADDRESS") or fallback


class Dashboard:
    """One cluster's dashboard, which answers and has the versions that a job needs."""

    def __init__(self, address: str) -> None:
        """Connects.

        Args:
            address: e.g. http://127.0.0.1:8265; without a scheme, http.

        Raises:
            UserError: no dashboard answers, the token is wrong, the cluster's Python or Ray is too old.
        """
        if "://" in address and not address.startswith(_SCHEMES):
            raise UserError(f"--address {address}: a dashboard's address begins with http://. {_ADDRESS_HELP}")
        self.address = (address if address.startswith(_SCHEMES) else f"http://{address}").rstrip("/")
        self._proxy = _proxy_of(self.address)
        _check_listening(self.address, self._proxy)
        if _has_token(self.address):
            os.environ.setdefault("RAY_AUTH_MODE", "token")  # read when Ray is imported
        os.environ["RAY_API_SERVER_ADDRESS"] = self.address  # Ray lets the environment win over the argument
        with self._errors_explained():
            import ray.job_submission  # noqa: F401  # first: importing Ray makes the handlers

            for handler in logging.getLogger("ray").handlers:
                handler.setLevel(logging.ERROR)  # Ray logs each upload
            self._client = _when_ready(lambda: ray_internals.client_with_deadline(self.address, ANSWER_SECONDS))
            self._check_versions()

    def submit(self, job_id: str, command: str, runtime_env: dict[str, Any], labels: dict[str, str]) -> None:
        """Uploads the working directory of `runtime_env` and starts a job.

        Args:
            job_id: A new and unique one.
            command: What the cluster's shell runs.
            runtime_env: See Ray's documentation; `working_dir` is a .zip file here.
            labels: Stored with the job, as `JobDetails.metadata`.

        Raises:
            UserError: the cluster refuses it.
        """
        with self._errors_explained(submitting=True):
            _when_ready(
                lambda: self._client.submit_job(
                    submission_id=job_id, entrypoint=command, runtime_env=runtime_env, metadata=dict(labels)
                )
            )

    def job(self, job_id: str) -> "JobDetails":
        """Returns what the cluster knows of a job.

        Raises:
            UserError: there is no such job, or the cluster no longer answers.
        """
        with self._errors_explained(job_id):
            return self._client.get_job_info(job_id)

    async def log(self, job_id: str) -> AsyncIterator[str]:
        """Yields the job's output from its start to its end, as it comes.

        Raises:
            ConnectionError: the connection was lost.
        """
        from aiohttp import ClientError

        try:
            async for text in self._client.tail_job_logs(job_id):
                yield text
        except (ClientError, RuntimeError, OSError) as error:
            raise ConnectionError(str(error)) from error

    def file(self, node_id: str, name: str) -> bytes | None:
        """Returns a file below a node's folder of logs, or None when there is none or it is empty."""
        query = urlencode({"node_id": node_id, "filename": name, "lines": -1})
        response = self._get(f"/api/v0/logs/file?{query}")
        # For a missing file Ray responds with an error or, now and then, with 200 and nothing.
        return response.content or None if response.status_code == 200 else None

    def _check_versions(self) -> None:
        response = self._get("/api/v0/cluster_metadata")
        cluster = response.json().get("data", {}) if response.status_code == 200 else {}
        for name, required in _required_versions().items():
            version = cluster.get(f"{name.lower()}Version")
            if version and not required.contains(version, prereleases=True):
                raise UserError(
                    f"{self.address}: the cluster has {name} {version}, digits-ray needs {name} {required}."
                    f" Start it with that, e.g. from the image rayproject/ray:{OLDEST_IMAGE}."
                )

    def _get(self, path: str) -> Any:
        with self._errors_explained():
            return ray_internals.get(self._client, path)

    @contextmanager
    def _errors_explained(self, job_id: str = "", submitting: bool = False) -> Iterator[None]:
        """Turns what Ray's client raises into a UserError of one line with the cure."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            reason = self._refusal(error) if submitting else None
            raise UserError(f"{self.address}: {reason or self._explain(error, job_id)}") from error

    def _refusal(self, error: Exception) -> str | None:
        """Returns why a job is not accepted where that is so, and not that nothing answers."""
        if isinstance(error, (TypeError, ValueError)) and not isinstance(
            error, OSError
        ):  # Ray's check, before it sends
            return f"Ray refuses the runtime_env ({_informative_line(str(error))}). Correct --runtime-env."
        status = re.match(r"Request failed with status code (\d+): ", str(error))
        if not status or _NOT_READY.search(str(error)):
            return None
        return f"the cluster refuses the job ({status[1]}: {_informative_line(str(error)[status.end() :])})."

    def _explain(self, error: Exception, job_id: str) -> str:
        text = str(error)
        if isinstance(error, ImportError) or "ray[default]" in text:
            return 'jobs need more of Ray than is installed here. Install it: pip install "digits-ray[cluster]"'
        if type(error).__name__ == "AuthenticationError" and self._proxy:  # which of the two refuses cannot be told
            return f"the cluster, or {self._proxy} before it, refuses the request. {self._proxy.cure}"
        if type(error).__name__ == "AuthenticationError":
            if text.startswith("Authentication failed"):  # 403; without a token it is 401
                return "the cluster has another token. Set RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) to the cluster's."
            return "the cluster wants a token. Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's."
        if job_id and "404" in text:
            return f"no job {job_id} there. All jobs: ray job list --address {self.address}"
        if _NOT_READY.search(text):
            log = "dashboard_agent.log" if "agent" in text else "dashboard.log"
            return (
                f"not ready after {READY_SECONDS:.0f} s ({_informative_line(text)}). {log} on the head says why"
                " (/tmp/ray/session_latest/logs, where Ray was not given another folder)."
            )
        seen = "no Ray dashboard answers" if isinstance(error, OSError) else "unexpected answer"
        cure = f"The request went through {self._proxy}. {self._proxy.cure}" if self._proxy else _ADDRESS_HELP
        return f"{seen} ({_informative_line(text)}). {cure}"


def _has_token(address: str) -> bool:
    """Returns whether Ray has a token for a cluster: that of the home directory is this machine's alone, as for Ray.

    Where there is one, which any local `ray.init()` writes, `ray start` makes a cluster that asks for it.
    """
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(given) or (is_loopback(urlsplit(address).hostname or "") and local_path("~/.ray/auth_token").is_file())


def _required_versions() -> dict[str, Any]:
    """Returns the versions of Python and Ray that digits-ray requires; none where it is not installed."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    try:
        package = metadata("digits-ray")
    except PackageNotFoundError:  # run from its folder
        return {}
    requirements = [Requirement(text) for text in package.get_all("Requires-Dist") or []]
    ray = next(requirement.specifier for requirement in requirements if requirement.name == "ray")
    return {"Python": SpecifierSet(package["Requires-Python"]), "Ray": ray}


def _when_ready(call: Callable[[], _Result]) -> _Result:
    """Returns what a call does, which is tried again while the cluster has just been started."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            return call()
        except Exception as error:
            if not _NOT_READY.search(str(error)) or time.monotonic() > deadline:
                raise
        time.sleep(READY_POLL_SECONDS)


def _proxy_of(address: str) -> Proxy | None:
    try:
        return proxy_for(address)
    except ImportError:  # without `requests`, which comes with ray[default]: told by Ray's client
        return None


def _check_listening(address: str, proxy: Proxy | None) -> None:
    """Raises UserError when nothing listens at the address, or its proxy; Ray's client would wait for minutes."""
    try:
        parts = urlsplit(proxy.url if proxy else address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        if proxy:
            raise UserError(f"{address}: its proxy, {proxy}, does not answer ({error}). {proxy.cure}") from None
        raise UserError(f"{address}: no Ray dashboard answers ({error}). {_ADDRESS_HELP}") from None


def _informative_line(text: str) -> str:
    """Returns the first line, or what a traceback ends with."""
    lines = text.strip().splitlines() or ["no message"]
    return lines[-1 if "Traceback" in text else 0].strip()[:200].rstrip(".")
