"""The file of labels beside a file of images, as public sets of arrays are given out."""

import re

from digits_ray.data.readers.source import Source

# Words of a file's name: kmnist-train-imgs.npz lies beside kmnist-train-labels.npz, x_train.npy beside y_train.npy.
_PAIRS = (
    ("imgs", "labels"),
    ("images", "labels"),
    ("image", "label"),
    ("data", "labels"),
    ("x", "y"),
    ("X", "y"),
    ("X", "Y"),
)


def labels_beside(source: Source) -> Source | None:
    """Returns the file that has the labels of a file of images, by its name; None where there is none."""
    if source.is_remote:
        return None
    for images, labels in _PAIRS:
        name = re.sub(rf"(?<![A-Za-z]){images}(?![A-Za-z])", labels, source.path.name)
        beside = source.sibling(name)
        if name != source.path.name and beside.path.is_file():
            return beside
    return None
