"""The documentation is true to the code: what it names exists, what it shows works, and the README stays short."""

import ast
import importlib
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from documentation import NAMED, PAGES, ROOT, blocks, shell_lines

from digits_ray.config import Config, load_config
from digits_ray.runs.run_arguments import config_and_arrays

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = ROOT / "README.md"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"

LARGEST_README = 6144  # bytes
INSTALL_AND_RUN = "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/digits-ray run\n"
INSTALL_AND_TEST = 'python3 -m venv .venv && .venv/bin/pip install -q ".[test]" && .venv/bin/python -m pytest\n'

CODE = ("digits_ray", "tests", "benchmarks", "docs")
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
REPOSITORY_PATH = re.compile(
    r"(?<![\w/.~-])(?:tests|digits_ray|benchmarks|cluster|jobs|docs|\.ci|\.github)/[\w./-]*\w/?"
)
SETTING = re.compile(r"--set (?!key\.path)([a-z_]+(?:\.[a-z_]+)*)=")


def in_pages(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=[str(page.relative_to(ROOT)) for page in pages])


# README


def test_the_readme_stays_short() -> None:
    assert len(README.read_bytes()) <= LARGEST_README


def test_the_readme_begins_with_the_two_commands_that_everybody_types() -> None:
    assert blocks(README, "bash")[:2] == [INSTALL_AND_RUN, INSTALL_AND_TEST]


# What is named exists


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def words_of_the_code() -> frozenset[str]:
    files = [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    return frozenset(word for path in files for word in re.findall(r"\w+", path.read_text(encoding="utf8")))


@in_pages(PAGES)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf8")):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


@in_pages(NAMED)
def test_every_path_of_the_repository_that_is_named_exists(page: Path) -> None:
    found = REPOSITORY_PATH.findall(page.read_text(encoding="utf8"))
    assert [path for path in found if not (ROOT / path).exists()] == []


@in_pages([ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md", ROOT / "docs" / "comparable.md"])
def test_every_name_of_the_code_that_is_named_exists(page: Path) -> None:
    spans = re.findall(r"`(\w*[a-z]_\w+|\w*[A-Z]_\w+|[A-Z][a-z]+[A-Z]\w+)`", page.read_text(encoding="utf8"))
    assert set(spans) - words_of_the_code() == set()


def test_the_layers_of_the_architecture_are_those_of_the_contract() -> None:
    (contract,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    level = {name: number for number, layer in enumerate(contract["layers"]) for name in layer.split(" | ")}
    rows = re.findall(r"^\| (`digits_ray/.*?) \| ", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    named = [re.findall(r"`digits_ray/(\w+)", row) for row in rows]
    assert {name for row in named for name in row} == set(level)
    levels = [sorted(level[name] for name in row) for row in named]
    assert all(upper[-1] <= lower[0] for upper, lower in pairwise(levels))


@in_pages([page for page in PAGES if page.name != "CHANGELOG.md"])
def test_no_line_of_text_is_wider_than_120_columns(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf8"), flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "<!--"))]
    assert [line for line in lines if len(line) > 120] == []


@in_pages(PAGES)
def test_all_rows_of_a_table_have_as_many_cells(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf8"), flags=re.MULTILINE | re.DOTALL)
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table


@in_pages(NAMED)
def test_every_setting_that_is_set_exists(page: Path) -> None:
    for key in SETTING.findall(page.read_text(encoding="utf8")):
        group: object = Config()
        for name in key.split("."):
            assert hasattr(group, name), key
            group = getattr(group, name)


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"({page.name})" not in index] == ["README.md"]


# What is shown works


@pytest.mark.parametrize("line", [line for line in shell_lines() if line.startswith("digits-ray ")])
def test_every_command_that_is_shown_is_understood(line: str) -> None:
    """The command line's own parser reads it, and the settings make up a configuration."""
    from digits_ray.cli.commands.options import config_from_flags
    from digits_ray.cli.main import cli

    name, *words = shlex.split(line)[1:]
    given = cli.commands[name].make_context(name, words).params
    if "settings" in given and not given["config_file"]:
        config_from_flags(given)


@pytest.mark.parametrize(
    "code", dict.fromkeys(code for page in NAMED for code in re.findall(r"`digits-ray (\w[^`]*)`", page.read_text()))
)
def test_every_command_within_a_line_exists_with_its_flags(code: str) -> None:
    from digits_ray.cli.main import cli

    command, *words = shlex.split(code.split(" > ")[0])
    known = {option for parameter in cli.commands[command].params for option in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("line", [line for line in shell_lines() if "pip install" in line])
def test_every_extra_that_is_installed_exists(line: str) -> None:
    extras = {extra for names in re.findall(r"\[([\w,-]+)\]", line) for extra in names.split(",")}
    assert extras <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("line", [line for line in shell_lines() if line.startswith("ray job submit")])
def test_every_command_of_ray_s_that_is_shown_is_understood(line: str) -> None:
    from ray.dashboard.modules.job.cli import job_cli_group

    job_cli_group.commands["submit"].make_context("submit", shlex.split(line)[3:])


@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page, "python")])
def test_python_that_is_shown_compiles_and_imports_what_exists(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def test_the_python_of_the_readme_runs_what_the_command_line_would() -> None:
    (block,) = blocks(README, "python")
    (call,) = re.findall(r"^finished = (run\(.*?\))", block, re.MULTILINE)
    config = eval(call, {"run": lambda config, out: config_and_arrays(config, out, {})[0]})
    assert config == load_config(settings=["out=runs/first"])


@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page, "yaml")])
def test_yaml_that_is_shown_is_a_configuration(block: str, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(block)
    assert load_config(file=str(tmp_path / "my.yaml"))


def test_the_page_of_settings_is_what_the_schema_says() -> None:
    script = "from docs.generate_configuration import page; print(page(), end='')"
    made = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf8")
    assert made == written, "run: python -m docs.generate_configuration"


# Messages


@cache
def texts_of_the_code() -> str:
    """Every text of the package, a line each; what an f-string fills in is an ellipsis."""
    trees = [ast.parse(path.read_text(encoding="utf8")) for path in (ROOT / "digits_ray").rglob("*.py")]
    return "\n".join(_shown(node) for tree in trees for node in ast.walk(tree) if _is_text(node))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _shown(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_shown(part) for part in node.values)
    return str(node.value).replace("\n", " ") if isinstance(node, ast.Constant) else "…"


def explained_messages() -> list[str]:
    """The messages in the first column of the tables of troubleshooting.md."""
    cells = re.findall(r"^\| (`.*?) \| ", TROUBLESHOOTING.read_text(encoding="utf8"), re.MULTILINE)
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("message", explained_messages())
def test_every_message_that_is_explained_is_one_of_the_code(message: str) -> None:
    pattern = "[^\n]*".join(re.escape(part) for part in message.split("…"))
    assert re.search(pattern, texts_of_the_code()), "reworded? docs/troubleshooting.md explains messages word for word"


# What people who carry on rely on


def test_the_changelog_tells_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(
        rf"^## .*\b{re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf8"), re.MULTILINE
    )


def test_the_workflow_does_what_the_own_check_does() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step] == ["bash .ci/run"]


def test_the_oldest_and_the_newest_python_that_are_advertised_are_tested() -> None:
    advertised = [text.split()[-1] for text in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", text)]
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert set(re.findall(r'python-version: "(.*)"', workflow)) == {advertised[0], advertised[-1]}
    for page in (README, ROOT / "CONTRIBUTING.md", ROOT / "docs" / "installation.md"):
        assert f"Python {advertised[0]} to {advertised[-1]}" in page.read_text(encoding="utf8")


def test_hooks_run_the_linters_whose_versions_pyproject_pins() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
    package = {"ruff": "ruff", "mypy": "mypy", "lint-imports": "import-linter"}
    wanted = {package[hook["entry"].split()[0]] for hook in local["hooks"]}
    pinned = {need.split("==")[0] for need in PROJECT["optional-dependencies"]["test"] if "==" in need}
    assert wanted <= pinned
