"""A real S3 server on loopback, which can be told to fail."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "runs"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
STOP_POLL_SECONDS = 0.05  # how soon a server notices that it is to end

Fault = Callable[[dict[str, Any]], tuple[str, str] | None]  # of a request (its WSGI environment)


@dataclass
class S3:
    """A server with one bucket, "runs"."""

    port: int = 0
    application: Any = None  # WSGI
    fault: Fault | None = None
    failed: list[str] = field(default_factory=list)  # requests that met with a fault, as "PUT /runs/name"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    @property
    def names(self) -> set[str]:
        """The objects in the bucket, without the empty ones that stand for folders."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
        return {key for key in keys if not key.endswith("/")}

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """Lets requests meet with a fault during the body."""
        self.fault, self.failed = fault, []
        try:
            yield
        finally:
            self.fault = None

    def get(self, name: str) -> bytes:
        """Downloads a file past our own code."""
        return self.client.get_object(Bucket=BUCKET, Key=name)["Body"].read()

    def put(self, name: str, data: bytes) -> str:
        """Uploads a file past our own code; returns its URI."""
        self.client.put_object(Bucket=BUCKET, Key=name, Body=data)
        return f"s3://{BUCKET}/{name}"


def answers(status: str, code: str, on: tuple[str, ...] = ()) -> Fault:
    """Every request, or those of some methods, gets this error."""
    return lambda request: (status, code) if not on or request["REQUEST_METHOD"] in on else None


def drops_connections(request: dict[str, Any]) -> tuple[str, str]:
    """The connection ends without an answer."""
    request["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return "500 Dropped", "Dropped"


def times(number: int, fault: Fault) -> Fault:
    """The first requests fail, then the server is well again."""
    left = [number]

    def some(request: dict[str, Any]) -> tuple[str, str] | None:
        left[0] -= 1
        return fault(request) if left[0] >= 0 else None

    return some


def slowly(seconds: float) -> Fault:
    """Every request is answered, late."""
    return lambda request: time.sleep(seconds)


@contextmanager
def serving() -> Iterator[S3]:
    """Runs a server for the time of the body."""
    s3, real = S3(), DomainDispatcherApplication(create_backend_app)

    def answer(request: dict[str, Any], start: Any) -> Any:
        fault = s3.fault(request) if s3.fault else None
        if fault is None:
            return real(request, start)
        s3.failed.append(f"{request['REQUEST_METHOD']} {request['PATH_INFO']}")
        body = f"<?xml version='1.0'?><Error><Code>{fault[1]}</Code><Message>no</Message></Error>".encode()
        start(fault[0], [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    s3.application = answer
    with socket.create_server(("127.0.0.1", 0)) as listener, serving_at(listener, s3):
        s3.port = listener.getsockname()[1]
        s3.client.create_bucket(Bucket=BUCKET)
        yield s3


@contextmanager
def serving_at(listener: socket.socket, s3: S3) -> Iterator[str]:
    """Lets a server answer at a listening socket too; gives its endpoint there."""
    host, port = listener.getsockname()
    server = make_server(host, port, s3.application, threaded=True, fd=listener.fileno())
    thread = threading.Thread(target=server.serve_forever, args=(STOP_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def reachable() -> Iterator[S3]:
    """Runs a server that this process and those that it starts find by AWS_ENDPOINT_URL, as boto3 would."""
    with serving() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.endpoint}.items():
            patch.setenv(name, value)
        yield server
