"""What `digits-ray presets` shows."""

import pytest
from metrics_files import shown

from digits_ray.cli.terminal import presets_table
from digits_ray.config import presets


@pytest.mark.parametrize("width", [40, 80, 120])
def test_each_preset_has_a_single_line(width: int) -> None:
    lines = shown(presets_table(presets()), width).splitlines()
    assert max(map(len, lines)) <= width
    names = [line.split()[0] for line in lines[1 : 1 + len(presets())]]
    assert names == list(presets())


def test_a_preset_s_line_names_its_networks_its_epochs_and_what_was_measured() -> None:
    (line,) = [line for line in shown(presets_table(presets()), 100).splitlines() if line.startswith("fast")]
    for part in ("the default", " 10 ", " 12 ", "15 min", "65 s for 20", "99.57 %"):
        assert part in line
