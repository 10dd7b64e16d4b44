"""The HTTP of the server, over real connections on loopback, with an invented ensemble."""

import http.client
import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import numpy as np
import pytest
from drawn_digits import DIGITS
from http_load import Client
from local_server import LocalModel, facts_of, serving

from digits_ray.serving.page_files import PAGE_FILES
from digits_ray.serving.requests import RequestError
from digits_ray.serving.settings import MOST_BODY_BYTES, RETRY_AFTER_SECONDS, ServeSettings

TOKEN = "a-token-of-20-letters"


@pytest.fixture(scope="module")
def url_and_model() -> Iterator[tuple[str, LocalModel]]:
    model = LocalModel()
    with serving(model) as url:
        yield url, model


@pytest.fixture
def model(url_and_model: tuple[str, LocalModel]) -> LocalModel:
    return url_and_model[1].start_anew(facts_of())


@pytest.fixture
def client(url_and_model: tuple[str, LocalModel], model: LocalModel) -> Client:
    return Client(url_and_model[0])


def image(first_pixel: int) -> list[list[int]]:
    pixels = np.zeros((28, 28), int)
    pixels[0, 0] = first_pixel
    return pixels.tolist()


def raw(client: Client, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urlsplit(client.url).netloc, timeout=20)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    response.read()
    return response


def test_labels_probabilities_votes_and_disagreement_are_answered_in_the_order_of_the_images(client: Client) -> None:
    status, answer = client.ask("predict", {"images": [image(7), image(2)]})
    assert status == 200
    assert answer["labels"] == [7, 2]
    assert answer["votes"] == [[8, 7, 7], [3, 2, 2]]
    assert answer["disagreement"] == [0.333333, 0.333333]
    assert answer["members"] == [0, 1, 2]
    assert np.allclose(np.sum(answer["probabilities"], axis=1), 1, atol=1e-4)
    assert answer["probabilities"][0][7] == pytest.approx((2 * 0.82 + 0.02) / 3, abs=1e-5)
    assert answer["vote_probabilities"][0] == pytest.approx([0.82] * 3)
    assert "sets" not in answer
    assert "seen" not in answer


def test_sets_are_answered_where_they_are_asked_for(client: Client) -> None:
    _, answer = client.ask("predict?sets=0.99", {"images": [image(7)]})
    assert answer["sets"] == [[7, 8]]
    status, answer = client.ask("predict?sets=1.5", {"images": [image(7)]})
    assert (status, answer) == (422, {"error": "sets: input should be less than 1."})


def test_what_the_networks_see_of_a_drawing_is_answered(client: Client, model: LocalModel) -> None:
    _, answer = client.ask("predict", {"drawing": DIGITS[4]})
    assert np.array_equal(np.array(answer["seen"]), model.seen[0])


def test_a_body_that_is_too_long_is_refused_whether_it_is_announced_or_not(client: Client) -> None:
    too_long = b"[" + b" " * MOST_BODY_BYTES
    assert client.ask("predict", too_long) == (413, {"error": "the body is longer than 1 MiB. Send less at a time."})
    connection = http.client.HTTPConnection(urlsplit(client.url).netloc, timeout=20)
    connection.request("POST", "/predict", body=iter([too_long]), encode_chunked=True)
    assert connection.getresponse().status == 413


def test_a_server_that_is_busy_says_when_to_come_again(client: Client, model: LocalModel) -> None:
    model.failure = RequestError(503, "the server is busy. Try again in a moment.")
    for path in ("readyz", "run"):
        response = raw(client, "GET", f"/{path}")
        assert (response.status, response.headers["Retry-After"]) == (503, str(RETRY_AFTER_SECONDS))
    assert raw(client, "GET", "/healthz").status == 200


def test_every_answer_forbids_everything_from_elsewhere(client: Client, model: LocalModel) -> None:
    for path in ("/", "/page.js", "/healthz", "/openapi.json", "/nothing"):
        headers = raw(client, "GET", path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers
    assert raw(client, "GET", "/", Host="evil.example").status == 403


def test_the_page_names_nothing_from_outside(client: Client) -> None:
    for path in PAGE_FILES:
        content = client.ask(path.lstrip("/"))[1].decode().replace("http://www.w3.org/2000/svg", "")
        addresses = re.findall(r"https?://[^\s\"')]+", content)
        assert addresses == []
        assert "style=" not in content
        assert not re.search(r"\son\w+=", content)


def test_the_interface_is_described_and_the_page_that_would_load_scripts_from_elsewhere_is_off(client: Client) -> None:
    _, description = client.ask("openapi.json")
    assert {"/predict", "/run", "/reload", "/healthz", "/readyz"} == set(description["paths"])
    assert set(description["paths"]["/predict"]["post"]["requestBody"]["content"]) == {
        "application/json",
        "image/png",
        "image/jpeg",
    }
    assert client.ask("docs")[0] == client.ask("redoc")[0] == 404


def test_reloading_is_off_without_a_token(client: Client) -> None:
    assert client.ask("reload", b"") == (403, {"error": "reloading is off. Start the server with a token."})


def test_with_a_token_it_is_asked_for_and_reloads() -> None:
    with serving(LocalModel(), ServeSettings("runs/first", token=TOKEN)) as url:
        assert Client(url).ask("predict", {"images": [image(1)]})[0] == 401
        assert Client(url).ask("")[0] == 200
        assert Client(url, TOKEN).ask("predict", {"images": [image(1)]})[1]["labels"] == [1]
        status, run = Client(url, TOKEN).ask("reload", b"")
        assert (status, run["members"], run["can_reload"]) == (200, [0, 1, 2], True)


@pytest.mark.parametrize(("path", "body"), [("nothing", None), ("predict", None), ("run", b"")])
def test_a_wrong_path_or_method_is_told_as_json(client: Client, path: str, body: bytes | None) -> None:
    status, answer = client.ask(path, body)
    assert status in (404, 405)
    assert json.dumps(answer).startswith('{"error": ')
