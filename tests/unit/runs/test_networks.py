"""The file of a user's own network: read, hashed, and compared with the one that a run was made with."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from digits_ray.config import Config, MembersConfig, OwnNetwork, member_specs
from digits_ray.errors import UserError
from digits_ray.runs.networks import MAX_BYTES, give_networks, try_networks, with_network_hashes
from digits_ray.storage import RunDirectory
from digits_ray.training.network_files import registered_networks

SOURCE = "def build(height, width, channels, classes):\n    return []\n"


def config_of(*architectures: object) -> Config:
    return Config(members=MembersConfig(architectures=tuple(map(str, architectures))))


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "nets.py"
    path.write_text(SOURCE)
    return path


def test_the_hash_is_that_of_the_content(nets: Path) -> None:
    config = with_network_hashes(config_of("nets.py:build", "compact"))
    assert config.members.architectures == (f"nets.py:build@{sha256(nets.read_bytes()).hexdigest()}", "compact")
    assert with_network_hashes(config) == config
    (file,) = registered_networks(config.members.architectures)
    assert (file.path, file.source) == ("nets.py", nets.read_bytes())


@pytest.mark.parametrize("path", ["nets.py", "./nets.py", "{}/nets.py", "file://{}/nets.py", "~/nets.py"])
def test_every_form_of_a_path_is_taken(path: str, nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(nets.parent))
    config = with_network_hashes(config_of(f"{path.format(nets.parent)}:build"))
    assert member_specs(config)[0].architecture == f"nets.py:build@{sha256(nets.read_bytes()).hexdigest()}"


def test_the_same_content_under_another_name_is_the_same_run_and_another_content_is_not(nets: Path) -> None:
    def opened(architecture: str) -> RunDirectory:
        return RunDirectory.at("out", with_network_hashes(config_of(architecture, "compact")), {})

    run = opened("nets.py:build")
    run.claim(with_network_hashes(config_of("nets.py:build", "compact")), {})
    run.close()
    Path("other").mkdir()
    nets.rename("other/mine.py")
    opened("other/mine.py:build")
    nets.write_text(SOURCE + "\n")
    with pytest.raises(
        UserError, match=r"holds another run: nets\.py has changed since, 'build' is another network now"
    ):
        opened("nets.py:build")
    nets.rename("third.py")
    with pytest.raises(UserError, match=r"third\.py is another file than nets\.py, 'build' another network"):
        opened("third.py:build")
    with pytest.raises(
        UserError, match=r"members\.architectures is \['nets\.py:build', 'compact'\] there, \['mine\.py:wi"
    ):
        opened("other/mine.py:wide")


def link_loop(path: Path) -> None:
    path.symlink_to(path)


UNREADABLE = {
    "missing": (lambda path: None, "no such file. Name a readable Python file"),
    "a folder": (Path.mkdir, "is no file"),
    "a pipe": (os.mkfifo, "is no file"),
    "a loop of links": (link_loop, "Name a readable Python file"),
    "no Python": (lambda path: path.write_text("def build(:\n"), ":1: SyntaxError: invalid syntax"),
    "wrong indentation": (lambda path: path.write_text("def f():\nx"), ":2: IndentationError: expected an indented"),
    "bytes": (lambda path: path.write_bytes(bytes(range(256))), "bad.py"),
    "a notebook": (lambda path: path.write_text('{"cells": [}'), ":1: SyntaxError"),
    "UTF-16": (
        lambda path: path.write_bytes(SOURCE.encode("utf16")),
        "is text in UTF-16, which Python does not read. Save it as UTF-8",
    ),
    "an unknown encoding": (lambda path: path.write_text("# coding: utf9\n"), "SyntaxError: "),
    "too large": (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), "1 MiB are no file of Python code"),
    "too deep": (lambda path: path.write_text("(" * 5000 + ")" * 5000), "bad.py"),
}


@pytest.mark.parametrize(("make", "words"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_cannot_be_read_is_refused_in_one_line(make, words: str, nets: Path) -> None:
    make(Path("bad.py"))
    with pytest.raises(UserError) as refused:
        with_network_hashes(config_of("compact", "bad.py:build"))
    assert words in str(refused.value)
    assert "bad.py" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_settings_that_name_a_content_are_refused_once_it_has_changed(nets: Path) -> None:
    config = with_network_hashes(config_of("nets.py:build"))
    nets.write_text("changed = True\n")
    with pytest.raises(UserError, match=r"^nets\.py: has changed since the settings were written"):
        with_network_hashes(config)


def test_a_file_is_given_to_a_finished_run_if_it_is_the_runs_own(nets: Path) -> None:
    config = with_network_hashes(config_of("nets.py:build", "compact"))
    nets.rename("moved.py")
    give_networks(config, ["moved.py:build"])
    nets.write_text("changed = True\n")
    with pytest.raises(UserError, match=r"^nets\.py: not the file that the run was made with"):
        give_networks(config, ["nets.py:build"])
    with pytest.raises(UserError, match="built-in networks need no file"):
        give_networks(config, ["compact"])
    with pytest.raises(UserError, match=r"FILE\.py:FUNCTION is expected"):
        give_networks(config, ["nets.py"])
    with pytest.raises(UserError, match=r"made with built-in networks\. Leave it out"):
        give_networks(Config(), ["nets.py:build"])


def test_nothing_is_tried_where_all_networks_are_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digits_ray.training.network_probe.probe_networks", None)
    try_networks(Config(), (28, 28), 10, lambda networks: pytest.fail("nothing is to be tried"))


def test_each_own_network_is_tried_once_and_in_bfloat16_too_where_there_may_be_gpus(
    nets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, told = [], []
    monkeypatch.setattr("digits_ray.training.network_probe.probe_networks", requests.append)
    monkeypatch.setattr("digits_ray.runs.networks.device.read_gpus", lambda: ())
    config = with_network_hashes(config_of("nets.py:build", "compact", "nets.py:build", "nets.py:wide"))
    for address in (None, "1.2.3.4:6379"):
        config = Config(members=config.members, resources={"address": address})  # type: ignore[arg-type]
        try_networks(config, (28, 28), 10, told.append)
    functions = [OwnNetwork.parse(name).function for name in requests[0].architectures]  # type: ignore[union-attr]
    assert functions == ["build", "wide"]
    assert told[0] == ("nets.py:build", "nets.py:wide")
    assert [request.also_bfloat16 for request in requests] == [False, True]
