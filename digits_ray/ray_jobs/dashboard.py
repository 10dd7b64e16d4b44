"""A cluster's dashboard: takes jobs, tells how they are, serves their logs and files.

Everything here goes over one HTTP port, so that a laptop outside the cluster's network needs no other.
"""

import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from digits_ray.errors import UserError

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
CONNECT_SECONDS = 10
_HTTP = ("http://", "https://")


def default_address() -> str:
    """Returns the dashboard's address that Ray's own commands would use."""
    of_ray = os.environ.get("RAY_ADDRESS", "")  # some set it to the dashboard, some to the cluster itself
    return os.environ.get("RAY_API_SERVER_ADDRESS") or (of_ray if of_ray.startswith(_HTTP) else DEFAULT_ADDRESS)


class Dashboard:
    """One cluster's dashboard, found to answer and to have the versions that a job needs."""

    def __init__(self, address: str) -> None:
        """Connects.

        Args:
            address: e.g. http://127.0.0.1:8265; without a scheme, http.

        Raises:
            UserError: no dashboard answers there, it wants another token, its Python or Ray is too old.
        """
        if "://" in address and not address.startswith(_HTTP):
            raise UserError(f"--address {address}: a dashboard's address begins with http://. {_CURE}")
        self.address = (address if address.startswith(_HTTP) else f"http://{address}").rstrip("/")
        _refuse_silent(self.address)
        if _has_token():
            os.environ.setdefault("RAY_AUTH_MODE", "token")  # read when Ray is imported
        os.environ["RAY_API_SERVER_ADDRESS"] = self.address  # Ray lets the environment win over the argument
        with self._explained():
            from ray.job_submission import JobSubmissionClient

            for handler in logging.getLogger("ray").handlers:
                handler.setLevel(logging.ERROR)  # it tells of each upload
            self._client = JobSubmissionClient(self.address)
            self._refuse_other_versions()

    def submit(self, job_id: str, command: str, runtime_env: dict[str, Any], facts: dict[str, str]) -> None:
        """Uploads the working directory of `runtime_env` and starts a job.

        Args:
            job_id: A new and unique one.
            command: What the cluster's shell runs.
            runtime_env: See Ray's documentation; `working_dir` is a .zip file here.
            facts: Kept with the job, see `JobDetails.metadata`.

        Raises:
            UserError: the cluster refuses it.
        """
        with self._explained():
            self._client.submit_job(
                submission_id=job_id, entrypoint=command, runtime_env=runtime_env, metadata=dict(facts)
            )

    def job(self, job_id: str) -> "JobDetails":
        """Returns what the cluster knows of a job.

        Raises:
            UserError: it knows of none, or no longer answers.
        """
        with self._explained(job_id):
            return self._client.get_job_info(job_id)

    async def log(self, job_id: str) -> AsyncIterator[str]:
        """Yields the job's output from its start to its end, as it comes.

        Raises:
            ConnectionError: it broke off.
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
        answer = self._get(f"/api/v0/logs/file?{query}")
        # Of a missing file Ray gives either an error or, now and then, 200 and nothing.
        return answer.content or None if answer.status_code == 200 else None

    def _refuse_other_versions(self) -> None:
        answer = self._get("/api/v0/cluster_metadata")
        found = answer.json().get("data", {}) if answer.status_code == 200 else {}
        for name, wanted in _wanted().items():
            version = found.get(f"{name.lower()}Version")
            if version and not wanted.contains(version, prereleases=True):
                raise UserError(
                    f"{self.address}: the cluster has {name} {version}, digits-ray needs {name} {wanted}."
                    f" Start it with that, e.g. from the image rayproject/ray:{_OLDEST_IMAGE}."
                )

    def _get(self, path: str) -> Any:
        # Ray's client has no public method for these two addresses of its documented REST interface.
        with self._explained():
            return self._client._do_request("GET", path)

    @contextmanager
    def _explained(self, job_id: str = "") -> Iterator[None]:
        """Turns what Ray's client raises into one line with the cure."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{self.address}: {self._explain(error, job_id)}") from error

    def _explain(self, error: Exception, job_id: str) -> str:
        text = str(error)
        if isinstance(error, ImportError) or "ray[default]" in text:
            return 'jobs need more of Ray than is installed here. Install it: pip install "digits-ray[cluster]"'
        if type(error).__name__ == "AuthenticationError":
            if _has_token():
                return "the cluster has another token. Set RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) to the cluster's."
            return "the cluster wants a token. Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's."
        if job_id and "404" in text:
            return f"no job {job_id} there. All jobs: ray job list --address {self.address}"
        if isinstance(error, OSError):
            return f"no Ray dashboard answers ({_first_line(text)}). {_CURE}"
        return f"not what a Ray dashboard answers ({_first_line(text)}). {_CURE}"


_OLDEST_IMAGE = "2.60.0-py311"
_CURE = (
    "Give --address the dashboard's address; a dashboard inside a cluster is reached by"
    " `ssh -L 8265:127.0.0.1:8265 HEAD` or `kubectl port-forward service/HEAD 8265`."
)


def _has_token() -> bool:
    return bool(os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"))


def _wanted() -> dict[str, Any]:
    """Returns the versions of Python and Ray that the installed digits-ray names; none where it is not installed."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    try:
        about = metadata("digits-ray")
    except PackageNotFoundError:  # run from its folder
        return {}
    needs = [Requirement(text) for text in about.get_all("Requires-Dist") or []]
    ray = next(need.specifier for need in needs if need.name == "ray")
    return {"Python": SpecifierSet(about["Requires-Python"]), "Ray": ray}


def _refuse_silent(address: str) -> None:
    """Raises UserError when nothing listens there; Ray's client would wait for minutes."""
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise UserError(f"{address}: no Ray dashboard answers ({error}). {_CURE}") from None


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:200].rstrip(".") if text.strip() else "no message"
