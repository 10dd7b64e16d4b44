"""What a mistyped command prints."""

import errno
import os
import re
import shlex
import subprocess
import sys
import tempfile
from io import BytesIO, TextIOWrapper
from pathlib import Path

import click
import pytest

from digits_ray.cli.commands import cli
from digits_ray.cli.commands.options import IMAGE_LAYOUTS, config_from_flags
from digits_ray.cli.main import main
from digits_ray.runs import pipeline

ROOT = Path(__file__).resolve().parents[3]


def printed_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command that must end with exit code 2; returns what it prints to stderr."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_no_command_shows_the_help_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed_error([], capsys).startswith("Usage: digits-ray")


def test_a_wrong_argument_names_the_help_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed_error(["run", "more"], capsys).endswith("argument (more). See `digits-ray run --help`.\n")
    assert printed_error(["trian"], capsys).endswith("See `digits-ray --help`.\n")


@pytest.mark.parametrize("command", [cli, *cli.commands.values()], ids=lambda command: command.name)
def test_every_help_fits_a_terminal_of_80_columns_and_40_rows(command: click.Command) -> None:
    lines = click.Context(command, info_name=f"digits-ray {command.name}", terminal_width=80).get_help().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 40


def test_the_list_of_commands_begins_with_run_and_cuts_no_line() -> None:
    help_text = click.Context(cli, info_name="digits-ray", terminal_width=80).get_help()
    commands = help_text.split("Commands:\n")[1].splitlines()
    assert [line.split()[0] for line in commands] == list(cli.commands)
    assert commands[0].split()[0] == "run"
    assert [line for line in commands if not line.endswith(".") or line.endswith("...")] == []


def test_help_and_settings_name_the_same_layouts_of_images() -> None:
    options = [option for name in ("run", "predict") for option in cli.commands[name].params]
    texts = {option.name: option.help for option in options if isinstance(option, click.Option)}
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf8")
    settings = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `data.")}
    for text in (texts["train"], texts["test"], texts["input_path"], settings["data.train"], settings["data.test"]):
        assert IMAGE_LAYOUTS in str(text)


def test_tune_shows_no_flag_of_networks_and_still_takes_them_for_a_later_run() -> None:
    tune = cli.commands["tune"]
    help_text = click.Context(tune, terminal_width=80).get_help()
    assert "--seed N" in help_text
    assert not {"--members N", "--gpus-per-member F", "--refit-on-all  "} & set(
        re.findall(r"--[a-z-]+ +\S*", help_text)
    )
    assert config_from_flags(tune.make_context("tune", ["--epochs", "2"]).params).members.recipe.epochs == 2


def test_a_number_of_gpus_that_ray_never_gives_is_refused_before_anything_is_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    message = printed_error(["run", "--gpus-per-member", "1.5", "--train", "there-is-no-such-file.csv"], capsys)
    assert "gpus_per_member=1.5: above 1, Ray gives whole GPUs." in message


def test_a_flag_that_is_not_given_leaves_its_setting_to_the_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("members: {refit_on_all: true}")
    run = cli.commands["run"]
    for arguments, expected in (([], False), (["--refit-on-all"], True), (["--config", f"{tmp_path}/my.yaml"], True)):
        config = config_from_flags(run.make_context("run", arguments).params)
        assert config.members.refit_on_all is expected


def test_a_terminal_that_lacks_a_letter_gets_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding="ascii"))
    with pytest.raises(SystemExit):
        main(["--version"])
    print("98 – 99 %", flush=True)
    assert written.getvalue().endswith(b"98 ? 99 %\n")


@pytest.mark.parametrize("command", ["-P -m digits_ray presets", "-m digits_ray status /no/run"])
def test_a_working_folder_that_has_been_deleted_is_told_in_one_line(command: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f"rmdir {shlex.quote(str(gone))}; exec {shlex.quote(sys.executable)} {command}"
    ended = subprocess.run(line, shell=True, cwd=gone, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == (
        "digits-ray: the working folder has been deleted. Change to another one (cd) and run it again.\n"
    )


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "/tmp/tmp1/model.keras: No space left on device. Free some space, then"),
        (errno.EROFS, "/tmp/tmp1/model.keras: Read-only file system. Choose another folder, then"),
    ],
)
def test_a_disk_of_temporary_files_that_cannot_be_written_is_told_in_one_line(
    number: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/tmp/tmp1/model.keras")

    monkeypatch.setattr(pipeline, "run", run)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--out", str(tmp_path)])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"digits-ray: {message}")
    assert "TMPDIR" in told and told.count("\n") == 1


def test_temporary_files_that_can_be_written_nowhere_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    monkeypatch.setattr(pipeline, "run", lambda *_: tempfile.gettempdir())
    with pytest.raises(SystemExit) as ended:
        main(["run", "--out", str(tmp_path)])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("digits-ray: temporary files can be written nowhere. Set TMPDIR to a folder")
    assert told.count("\n") == 1
