"""The HTTP of the server, as a FastAPI application that knows nothing of Ray."""

import asyncio
from typing import Annotated, Any, Protocol

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from digits_ray.serving.answers import facts_json, prediction_json
from digits_ray.serving.guard import Guard, error_response, too_long
from digits_ray.serving.page_files import PAGE_FILES, page_file
from digits_ray.serving.requests import RequestError, parse_body
from digits_ray.serving.served_run import RunFacts, Votes
from digits_ray.serving.settings import MOST_BODY_BYTES, RETRY_AFTER_SECONDS, ServeSettings
from digits_ray.version import __version__

DECODING_THREADS = 2  # bodies that are parsed at the same time, which bounds their memory

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "images": {"description": "One image or many, [[[0 … 255]]].", "type": "array", "items": {}},
                        "drawing": {"description": "Strokes, [[[x, y], …], …].", "type": "array", "items": {}},
                    },
                }
            },
            "image/png": {"schema": {"type": "string", "format": "binary"}},
            "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}

Level = Annotated[float | None, Query(gt=0, lt=1, description="Also answer prediction sets of this level, e.g. 0.99.")]


class Model(Protocol):
    """The ensemble, wherever it runs. Every call may raise RequestError."""

    async def votes(self, images: np.ndarray, level: float | None) -> Votes:
        """Returns the votes on (rows, height, width[, 3]) uint8, with sets where a level is given."""

    async def facts(self) -> RunFacts:
        """Returns the facts of the run that is loaded now."""

    async def known_facts(self) -> RunFacts:
        """Returns facts of the run that may be older: size and form of its images never change."""

    async def check_ready(self) -> None:
        """Raises RequestError where no ensemble is ready to vote."""

    async def reload(self) -> RunFacts:
        """Loads the run directory again."""


def build_app(model: Model, settings: ServeSettings) -> ASGIApp:
    """Returns the application.

    Args:
        model: That votes.
        settings: The server's.
    """
    app = FastAPI(
        title="digits-ray", version=__version__, docs_url=None, redoc_url=None, swagger_ui_oauth2_redirect_url=None
    )
    app.add_exception_handler(RequestError, _on_request_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_fault)
    _add_page(app)
    _add_health(app, model)
    _add_predict(app, model)
    _add_run(app, model, settings)
    return Guard(app, settings)


def _add_predict(app: FastAPI, model: Model) -> None:
    slots = asyncio.Semaphore(DECODING_THREADS)

    @app.post("/predict", openapi_extra=_BODY, summary="Label images")
    async def predict(request: Request, sets: Level = None) -> dict[str, Any]:
        body = await read_body(request)
        facts = await model.known_facts()
        async with slots:
            requested = await asyncio.to_thread(parse_body, body, facts.image_shape, facts.form)
        votes = await model.votes(requested.images, sets)
        return prediction_json(votes, requested.images if requested.were_changed else None)


def _add_run(app: FastAPI, model: Model, settings: ServeSettings) -> None:
    can_reload = settings.token is not None

    @app.get("/run", summary="What is served")
    async def run() -> dict[str, Any]:
        return facts_json(await model.facts(), can_reload=can_reload)

    @app.post("/reload", summary="Load the run directory again")
    async def reload() -> dict[str, Any]:
        if not can_reload:
            raise RequestError(403, "reloading is off. Start the server with a token.")
        return facts_json(await model.reload(), can_reload=can_reload)


def _add_health(app: FastAPI, model: Model) -> None:
    @app.get("/healthz", summary="Whether the server runs")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether the ensemble is loaded and compiled")
    async def readyz() -> dict[str, str]:
        await model.check_ready()
        return {"status": "ready"}


def _add_page(app: FastAPI) -> None:
    for path, (name, media_type) in PAGE_FILES.items():
        response = Response(page_file(name), media_type=media_type)
        app.add_api_route(path, _constant(response), include_in_schema=False, methods=["GET"])


def _constant(response: Response) -> Any:
    async def answer() -> Response:
        return Response(response.body, media_type=response.media_type)

    return answer


async def read_body(request: Request) -> bytes:
    """Returns a request's body.

    Raises:
        RequestError: it is longer than it may be, whatever its header says.
    """
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        if length > MOST_BODY_BYTES:
            raise too_long()
        parts.append(part)
    return b"".join(parts)


async def _on_request_error(request: Request, error: Any) -> JSONResponse:
    return error_response(error, {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status == 503 else None)


async def _on_validation_error(request: Request, error: Any) -> JSONResponse:
    first = error.errors()[0]
    return error_response(RequestError(422, f"{first['loc'][-1]}: {first['msg'][:1].lower()}{first['msg'][1:]}."))


async def _on_http_error(request: Request, error: Any) -> JSONResponse:
    return error_response(RequestError(error.status_code, f"{request.method} {request.url.path}: {error.detail}."))


async def _on_fault(request: Request, error: Any) -> JSONResponse:
    return error_response(RequestError(500, "the server failed. Its log says why."))
