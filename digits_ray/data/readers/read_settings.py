"""How a file is to be read: the settings of the data, and the column of groups, which is one of the split."""

from pydantic.dataclasses import dataclass

from digits_ray.config import DataConfig


@dataclass(frozen=True)
class ReadSettings(DataConfig):
    """The settings that readers follow."""

    groups: str | None = None  # name of the column or array of groups

    @classmethod
    def of(cls, settings: DataConfig, groups: str | None) -> "ReadSettings":
        """Adds the name of the groups to the settings of the data."""
        return cls(**{**vars(settings), "groups": groups})
