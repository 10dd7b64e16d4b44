"""What travels to a cluster with a job, and what the cluster installs for it."""

import tomllib
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

from digits_ray.config import OwnNetwork, loading
from digits_ray.config.schema import Config, DataConfig, MembersConfig
from digits_ray.errors import UserError
from digits_ray.ray_jobs import submit
from digits_ray.ray_jobs.submit import SETTINGS_FILE, JobUpload, job_environment, requirements
from digits_ray.runs.run_path import resolve_out

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def upload_of(out: str | None = None, train: object = None, test: object = None, holdout: object = None) -> JobUpload:
    data = DataConfig(*(None if path is None else str(path) for path in (train, test, holdout)))
    return JobUpload.from_config(Config(out=out, data=data))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "digits.csv"
    path.write_text("label,pixel0\n")
    return path


# What the cluster installs


@pytest.mark.parametrize(("name", "tool"), [("runtime_env.yaml", "pip"), ("runtime_env_uv.yaml", "uv")])
def test_the_runtime_environments_of_jobs_install_what_the_project_names(name: str, tool: str) -> None:
    environment = yaml.safe_load((ROOT / "jobs" / name).read_text())
    assert environment[tool] == PROJECT["dependencies"]
    assert set(environment) == {tool, "excludes"}
    assert {".git", ".venv", "/runs"} <= set(environment["excludes"])


@pytest.mark.parametrize("name", ["runtime_env.yaml", "runtime_env_uv.yaml"])
def test_no_module_is_excluded_from_the_working_directory_of_jobs(name: str) -> None:
    from ray._private.runtime_env.packaging import _get_excludes

    excluded = _get_excludes(ROOT, yaml.safe_load((ROOT / "jobs" / name).read_text())["excludes"])
    modules = [path for folder in ("digits_ray", "jobs") for path in (ROOT / folder).rglob("*.py")]
    assert len(modules) > 50
    assert [path for path in modules if excluded(path)] == []
    assert excluded(ROOT / "runs/first/config.yaml")


def test_submit_installs_what_the_project_names_and_the_extras_asked_for() -> None:
    def names(texts: list[str]) -> set[str]:
        return {text.replace(">", "<").replace("=", "<").split("<")[0] for text in texts}

    assert names(requirements()) == names(PROJECT["dependencies"])
    assert names(requirements(["gpu"])) == names(PROJECT["dependencies"]) | {"tensorflow[and-cuda]"}
    assert not [text for text in requirements(["gpu"]) if ";" in text or "extra" in text]


def test_an_unknown_extra_is_refused() -> None:
    with pytest.raises(UserError, match=r"--extra gpus.*gpu, jax"):
        job_environment("pip", ["gpus"], None)


@pytest.mark.parametrize("packages", ["pip", "uv"])
def test_packages_come_by_the_tool_that_was_asked_for(packages: str) -> None:
    assert job_environment(packages, [], None)[packages] == requirements()


def test_a_cluster_that_has_everything_installs_nothing() -> None:
    assert set(job_environment("none", [], None)) == {"env_vars"}


def test_the_packages_of_a_runtime_env_replace_ours(tmp_path: Path) -> None:
    (tmp_path / "env.yaml").write_text("conda: digits\nenv_vars: {AWS_PROFILE: me}\n")
    environment = job_environment("pip", [], str(tmp_path / "env.yaml"))
    assert environment["conda"] == "digits"
    assert environment["env_vars"]["AWS_PROFILE"] == "me"
    assert "pip" not in environment


@pytest.mark.parametrize("text", ["working_dir: .", "py_modules: [x]", "- a list", "{"])
def test_a_runtime_env_that_cannot_be_used_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "env.yaml").write_text(text)
    with pytest.raises(UserError, match=r"--runtime-env .*env\.yaml"):
        job_environment("pip", [], str(tmp_path / "env.yaml"))


# What travels


def test_local_files_travel_and_the_cluster_reads_them_from_the_archive(file: Path) -> None:
    upload = upload_of(train=file, test=file, holdout=file)
    assert upload.files == {"train/digits.csv": file, "test/digits.csv": file, "holdout/digits.csv": file}
    assert upload.config.data == DataConfig("train/digits.csv", "test/digits.csv", "holdout/digits.csv")
    assert upload.cluster_files == []


@pytest.mark.parametrize("path", ["s3://bucket/digits.csv", "file:///mnt/digits.csv", "/mnt/nowhere/digits.csv"])
def test_what_the_cluster_can_read_itself_does_not_travel(path: str) -> None:
    upload = upload_of(train=path)
    assert upload.files == {}
    assert upload.config.data.train == path
    assert upload.cluster_files == [path]


def test_a_relative_path_to_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"--test nowhere\.csv: no such file here"):
        upload_of(train="s3://bucket/digits.csv", test="nowhere.csv")


def test_data_too_large_to_travel_names_shared_storage_as_the_cure(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "MAX_ARCHIVE", 1000)  # the code alone is larger
    with pytest.raises(UserError, match=r"digits\.csv: more than the .*s3://.*file:///mnt"):
        upload_of(train=file).pack(tmp_path / "archive.zip")
    file.write_bytes(bytes(1000 * submit.BEST_COMPRESSION + 1))
    with pytest.raises(UserError, match=r"digits\.csv: more than the"):
        upload_of(train=file)


def test_the_archive_holds_the_code_the_settings_and_the_data(file: Path, tmp_path: Path) -> None:
    upload = upload_of(train=file)
    upload.pack(tmp_path / "archive.zip")
    with ZipFile(tmp_path / "archive.zip") as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "unpacked")
    assert {"run.yaml", "digits_ray/__main__.py", "digits_ray/config/presets.yaml", "train/digits.csv"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]
    assert loading.load_config(file=str(tmp_path / "unpacked" / "run.yaml")) == upload.config
    assert (tmp_path / "unpacked" / "train" / "digits.csv").read_bytes() == file.read_bytes()


def test_a_job_starts_a_module_of_the_archive_with_its_own_id_and_flags(file: Path) -> None:
    class RecordingDashboard:
        address = "http://127.0.0.1:8265"

        def submit(self, job_id: str, command: str, runtime_env: dict, labels: dict) -> None:
            self.job_id, self.command, self.labels = job_id, command.split(), labels
            assert Path(runtime_env["working_dir"]).exists()

    dashboard, lines = RecordingDashboard(), []
    upload = upload_of(train=file, test="s3://bucket/test.csv", out="runs/a")
    job_id = submit.submit_job(dashboard, upload, {}, ["--quiet"], lines.append)  # type: ignore[arg-type]
    python, _, module, *arguments = dashboard.command
    assert (python, arguments) == ("python", [job_id, "--quiet"])
    assert find_spec(module)
    assert dashboard.labels == {"out": "~/digits-ray/runs/a", "fetch_to": "runs/a"}
    assert lines[0].endswith("the code, digits.csv")
    assert lines[1:] == ["s3://bucket/test.csv is not sent: the cluster reads it"]


def test_files_of_own_networks_travel_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "nets.py").write_text(f"FOLDER = '{folder}'\n")
    named = ("a/nets.py:build", "compact", "b/nets.py:build", "s3://bucket/nets.py:build")
    upload = JobUpload.from_config(Config(members=MembersConfig(architectures=named)))
    upload.pack(tmp_path / "archive.zip")
    with ZipFile(tmp_path / "archive.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    monkeypatch.chdir("unpacked")
    first, built_in, second, remote = loading.load_config(file="run.yaml").members.architectures
    assert (built_in, remote) == (named[1], named[3])
    for folder, architecture in (("a", first), ("b", second)):
        network = OwnNetwork.parse(architecture)
        assert network and network.function == "build"
        assert Path(network.path).read_text() == f"FOLDER = '{folder}'\n"


def test_a_file_of_an_own_network_that_is_no_python_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("def build(\n")
    members = MembersConfig(architectures=(f"{tmp_path}/nets.py:build",))
    with pytest.raises(UserError, match=r"nets\.py:1: SyntaxError: '\(' was never closed"):
        JobUpload.from_config(Config(members=members))


# Where the results go


@pytest.mark.parametrize("out", ["s3://bucket/runs/a", "/mnt/runs/a", "~/runs/a"])
def test_an_out_on_the_cluster_stays_as_it_is(out: str) -> None:
    upload = upload_of(out=out)
    assert (upload.config.out, upload.fetch_to) == (out, None)


def test_a_relative_out_lies_in_the_drivers_home_and_is_fetched() -> None:
    upload = upload_of(out="runs/a")
    assert (upload.config.out, upload.fetch_to) == ("~/digits-ray/runs/a", "runs/a")
    assert str(upload_of().config.out).startswith("~/digits-ray/runs/20")


def test_a_local_run_is_never_overwritten_by_fetched_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("seed: 1\n")
    with pytest.raises(UserError, match="--out mine: holds a run of this machine"):
        upload_of(out="mine")


def test_a_folder_that_cannot_get_the_results_is_refused_before_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        upload_of(out="runs/a")


@pytest.mark.parametrize("out", [None, "runs/a", "./a"])
def test_a_job_refuses_a_run_directory_that_ray_deletes(out: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_out(Config(out=out)).startswith(out or "runs/")
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    with pytest.raises(UserError, match=r"--out .*is deleted when the job ends"):
        resolve_out(Config(out=out))
    for path in ("/mnt/a", "~/a", "s3://bucket/a"):
        assert resolve_out(Config(out=path)) == path


def test_a_head_that_has_gone_leaves_the_job_the_exit_code_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digits_ray.cli import job_entrypoint

    def no_ray() -> Path:
        raise ConnectionError("Could not find any running Ray instance.")

    def failing_run(arguments: list[str]) -> None:
        raise SystemExit(1)

    monkeypatch.chdir(tmp_path)
    Path(SETTINGS_FILE).write_text(f"out: {tmp_path}\n")
    monkeypatch.setattr(job_entrypoint, "log_folder", no_ray)
    monkeypatch.setattr(job_entrypoint, "main", failing_run)
    with pytest.raises(SystemExit, match="1"):
        job_entrypoint.run_job("job-1", [])


@pytest.mark.parametrize(
    ("written", "text"),
    [("1", "1"), ("010", "010"), ("on", "on"), ("true", "true"), ("1e3", "1e3"), ("0x1F", "0x1F"),
     ("2024-01-01", "2024-01-01"), ("'1'", "1"), ("", ""), ("1_000", "1_000"), ("~", "~")],
)  # fmt: skip
def test_a_variable_is_the_text_that_is_written(written: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "env.yaml"
    file.write_text(f"env_vars: {{OMP_NUM_THREADS: {written}}}\n")
    variables = job_environment("none", (), f"file://{file}")["env_vars"]
    assert variables["OMP_NUM_THREADS"] == text


@pytest.mark.parametrize("value", ["[1, 2]", "{A: [1]}", "text"])
def test_variables_that_are_no_single_values_are_refused(value: str, tmp_path: Path) -> None:
    file = tmp_path / "env.yaml"
    file.write_text(f"env_vars: {value}\n")
    with pytest.raises(UserError, match=r"--runtime-env .*env_vars.*expected, e\.g\."):
        job_environment("none", (), str(file))


def test_an_empty_list_of_variables_is_none(tmp_path: Path) -> None:
    (tmp_path / "env.yaml").write_text("env_vars:\nconfig: {setup_timeout_seconds: 9}\n")
    environment = job_environment("none", (), str(tmp_path / "env.yaml"))
    assert list(environment["env_vars"]) == ["RAY_JOB_STOP_WAIT_TIME_S"]
