"""What doctor says without a cluster."""

from pathlib import Path

from digits_ray.config import Config, DataConfig
from digits_ray.doctor.checks import _missing_files


def test_a_file_of_the_run_that_does_not_exist_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("")
    data = DataConfig(train=tmp_path / "train.csv", test=tmp_path / "nope.csv", holdout="s3://bucket/holdout.csv")
    assert _missing_files(Config(data=data)) == [f"--test {tmp_path}/nope.csv: no such file or folder. Check the path."]
    assert _missing_files(Config()) == []
