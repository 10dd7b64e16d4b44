"""How a network of the user's own is named, and what of the name counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from digits_ray.cli.commands.options import config_from_flags
from digits_ray.config import (
    Config,
    MembersConfig,
    OwnNetwork,
    architecture_name,
    load_config,
    member_specs,
)
from digits_ray.errors import UserError
from digits_ray.storage.member_files import spec_hash

SHA = "3fa9" * 16
OTHER = "77aa" * 16


def specs_of(*architectures: str) -> list:
    return member_specs(Config(members=MembersConfig(count=len(architectures), architectures=architectures)))


@pytest.mark.parametrize(
    ("text", "path", "function"),
    [
        ("nets.py:build", "nets.py", "build"),
        ("my folder/mes réseaux.py:construit", "my folder/mes réseaux.py", "construit"),
        ("s3://bucket/nets.py:build", "s3://bucket/nets.py", "build"),
        ("file:///home/me/nets.py:build", "file:///home/me/nets.py", "build"),
        (r"C:\nets.py:build", r"C:\nets.py", "build"),
        (f"nets.py:build@{SHA}", "nets.py", "build"),
    ],
)
def test_it_is_a_function_of_a_python_file(text: str, path: str, function: str) -> None:
    network = OwnNetwork.parse(text)
    assert network is not None
    assert (network.path, network.function, str(network)) == (path, function, text)


@pytest.mark.parametrize(
    "name", ["nets.py", "nets:build", "nets.py:", "nets.py:3d", "my/nets", "nets.py:a.b", "a.py:b@3f"]
)
def test_what_names_no_function_of_a_file_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"names no function of a Python file\. FILE\.py:FUNCTION is expected"):
        load_config(settings=[f"members.architectures=['{name}']"])


def test_an_unknown_name_is_still_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'notebook'"):
        load_config(settings=["members.architectures=[nets.py:build, notebok]"])


def test_members_take_it_in_turn_with_built_in_ones_and_know_no_folder() -> None:
    specs = specs_of(f"a/nets.py:build@{SHA}", "compact", f"b/nets.py:wide@{SHA}")
    assert [spec.architecture for spec in specs] == [f"nets.py:build@{SHA}", "compact", f"nets.py:wide@{SHA}"]
    assert [architecture_name(spec.architecture) for spec in specs] == ["nets.py:build", "compact", "nets.py:wide"]


def test_the_hash_of_a_member_covers_the_content_and_the_function_but_no_name_of_a_file() -> None:
    spec = specs_of(f"nets.py:build@{SHA}")[0]
    hashes = [spec_hash(replace(spec, architecture=other)) for other in (
        f"other.py:build@{SHA}", f"nets.py:wide@{SHA}", f"nets.py:build@{OTHER}", "compact",
    )]  # fmt: skip
    assert hashes[0] == spec_hash(spec)
    assert len({*hashes}) == 4


def test_flags_name_built_in_networks_and_own_ones(tmp_path: Path) -> None:
    flags = {"architectures": ("nets.py:build", "compact"), "settings": (), "config_file": None}
    assert config_from_flags(flags).members.architectures == ("nets.py:build", "compact")
    assert config_from_flags({**flags, "architectures": ()}).members.architectures == ("compact",)
    (tmp_path / "run.yaml").write_text("members: {architectures: [nets.py:build, compact]}")
    from_file = config_from_flags({**flags, "architectures": (), "config_file": str(tmp_path / "run.yaml")})
    assert from_file.members.architectures == ("nets.py:build", "compact")
