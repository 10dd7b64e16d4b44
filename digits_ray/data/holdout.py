"""A holdout that the user gives: labelled rows behind the training rows, which score and choose nothing."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from digits_ray.data.labels import Class
from digits_ray.errors import UserError

if TYPE_CHECKING:
    from digits_ray.data.loading import Data


@dataclass(frozen=True, eq=False)
class Holdout:
    """Labelled images by themselves."""

    source: str  # the path as given, or "holdout"
    images: np.ndarray  # (rows, height, width[, 3]) uint8
    labels: np.ndarray  # (rows,) int32 index into its own classes
    classes: tuple[Class, ...]
    notes: tuple[str, ...] = ()
    groups: np.ndarray | None = None  # (rows,) int32, numbered as those of the training rows; None: not known


def add_holdout(data: "Data", holdout: Holdout) -> "Data":
    """Returns data with the rows of a holdout, whose images have the same shape, behind its labelled rows.

    Raises:
        UserError: It has a class that the training images have not.
    """
    labels = _labels_among(data.classes, holdout)
    return replace(
        data,
        images=np.concatenate([data.images, holdout.images]),
        labels=np.concatenate([data.labels, labels]),
        notes=(*data.notes, *holdout.notes, *_notes(data, holdout, labels)),
        groups=_groups(data, holdout),
        holdout_rows=len(holdout.images),
        holdout_source=holdout.source,
    )


def _labels_among(classes: tuple[Class, ...], holdout: Holdout) -> np.ndarray:
    """Returns the labels of a holdout as indices into the training images' classes, (rows,) int32."""
    index = {str(name): number for number, name in enumerate(classes)}  # 7 is "7" where another label is text
    unknown = [name for name in holdout.classes if str(name) not in index]
    if unknown:
        raise UserError(
            f"{holdout.source}: class {unknown[0]!r} is none of the training images' {len(classes)} classes, so no "
            "network can know it. Drop its rows, or add images of it to the training images."
        )
    return np.array([index[str(name)] for name in holdout.classes], np.int32)[holdout.labels]


def _groups(data: "Data", holdout: Holdout) -> np.ndarray | None:
    """Returns the groups of all labelled rows; a row of the holdout is one by itself where its group is not known."""
    if data.groups is None:
        return None
    unknown = data.groups.max() + 1 + np.arange(len(holdout.images), dtype=np.int32)
    return np.concatenate([data.groups, unknown if holdout.groups is None else holdout.groups])


def _notes(data: "Data", holdout: Holdout, labels: np.ndarray) -> list[str]:
    notes = []
    missing = [str(data.classes[label]) for label in range(len(data.classes)) if label not in labels]
    if missing:
        names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        notes.append(f"{holdout.source}: no images of class {names}: its recall stays unknown")
    if data.groups is not None and holdout.groups is not None:
        trained_on = np.isin(holdout.groups, data.groups)
        if trained_on.any():
            notes.append(
                f"WARNING: {holdout.source}: {int(trained_on.sum()):,} of {len(labels):,} rows are of groups that are "
                "trained on too, so the accuracy may be too high"
            )
    return notes
