"""What YAML gives other values than its author meant."""

from pathlib import Path

import pytest

from digits_ray.config import loading
from digits_ray.errors import UserError


@pytest.mark.parametrize(
    ("text", "key"),
    [("seed: 1\nseed: 2\n", "seed"), ("members: {count: 3}\nmembers: {recipe: {epochs: 1}}\n", "members")],
)
def test_a_key_that_comes_twice_is_refused_since_one_of_them_would_be_lost(text: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(UserError, match=f"run.yaml: line 2: '{key}' for the second time"):
        loading.load_config(file=str(tmp_path / "run.yaml"))


def test_a_column_that_yaml_takes_for_a_truth_value_is_refused_with_the_cure() -> None:
    with pytest.raises(UserError, match=r"data.label=false: should be text; YAML takes no, .* unless they are quoted"):
        loading.load_config(settings=["data.label=no"])
    assert loading.load_config(settings=["data.label='no'"]).data.label == "no"
