"""What `digits-ray presets` shows: a line for each preset."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from digits_ray.cli.terminal.fitting_table import Column, FittingTable
from digits_ray.config import Preset, config_from_dict

LEGEND = (
    "Time to submission and report, and accuracy on held-out rows: Kaggle's files, without searches; –: not measured. "
    "How they were measured, and how often: docs/presets.md. `digits-ray presets fast` prints a preset in full."
)


def presets_table(presets: Mapping[str, Preset]) -> RenderableType:
    """Returns the table of presets, by name, and what its figures mean."""
    columns = [Column("preset", is_text=True), Column("for", is_text=True), Column("networks", rank=3)]
    columns += [Column("epochs", rank=4), Column("2 cores"), Column("one H100", rank=2), Column("accuracy", rank=1)]
    table = FittingTable(columns)
    for name, preset in presets.items():
        members = config_from_dict({**preset.settings(built_in_digits=False), "preset": name}).members
        about = preset.about
        measured = (about["2 cores"], about["one H100"], about["accuracy"])
        table.add_row(name, about["for"], str(members.count), str(members.recipe.epochs), *measured)
    return Group(table, Text(), Text(LEGEND))
