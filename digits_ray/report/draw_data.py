"""Figures of the data: counts, samples, pixels, mean images, augmentation."""

from collections.abc import Iterator

import numpy as np

from digits_ray.report import statistics
from digits_ray.report.formatting import percent
from digits_ray.report.model_inspection import Inspection
from digits_ray.report.plotting import (
    BLUE,
    FULL,
    HALF,
    ORANGE,
    SKY,
    Picture,
    blank_axes,
    canvas,
    place_image,
    short,
    tiles,
)
from digits_ray.report.run_contents import Arrays, RunContents

COLOUR_MAPS = ("gray", "viridis", "cividis", "magma")
SHOWN_PIXELS = 28  # a side; of larger images the middle is shown
MEAN_COLUMNS = 5


def figures(run: RunContents) -> Iterator[Picture]:
    """Yields what can be drawn of the data, but for `augmented_figures` and `pixel_figures`."""
    dataset = run.dataset
    if dataset is None:
        return
    names = [short(name) for name in run.class_names]
    yield counts(dataset, names)
    yield mean_images(dataset, names)
    yield samples(dataset, names)
    if _is_grey(dataset):
        yield colour_maps(dataset)


def augmented_figures(run: RunContents, inspection: Inspection | None) -> Iterator[Picture]:
    """Yields what augmentation does to an image, if that is known."""
    if run.dataset is not None and inspection and len(inspection.augmented):
        yield augmentation(run.dataset["sample_images"][0], inspection.augmented, run)


def pixel_figures(run: RunContents) -> Iterator[Picture]:
    """Yields the pixels of a grey image."""
    if run.dataset is not None and _is_grey(run.dataset):
        yield pixel_values(run.dataset, [short(name) for name in run.class_names])


def _is_grey(dataset: Arrays) -> bool:
    return dataset["sample_images"].ndim == 3


def counts(dataset: Arrays, names: list[str]) -> Picture:
    """Rows of each class, as labelled bars."""
    training, scored = statistics.class_counts(dataset["labels"], dataset["folds"], len(names))
    total, folds = training + scored, int(dataset["folds"].max()) > 0
    figure, axes = canvas(HALF, 0.9 + 0.21 * len(names))
    positions = np.arange(len(names))
    axes.barh(positions, training, color=BLUE, label="only trains")
    scoring = "trains, and scores once" if folds else "held out, scores"
    bars = axes.barh(positions, scored, left=training, color=SKY if folds else ORANGE, label=scoring)
    axes.bar_label(bars, labels=[f"{rows:,}" for rows in total], padding=3, fontsize=8)
    axes.set_yticks(positions, names)
    axes.set(xlabel="labelled rows", ylabel="class", xlim=(0, total.max() * 1.18), ylim=(len(names) - 0.4, -0.6))
    if training.any() and scored.any():
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    low, high = int(total.min()), int(total.max())
    caption = f"{total.sum():,} labelled rows; the rarest class has {low:,}, the most frequent {high:,}."
    return Picture("class_counts", "Rows of each class", caption, f"Bar chart. {caption}", figure)


def mean_images(dataset: Arrays, names: list[str]) -> Picture:
    """The mean image of each class."""
    columns = MEAN_COLUMNS if len(names) <= 20 else 8
    figure = tiles(list(dataset["class_means"]), [short(name, 60 // columns) for name in names], columns)
    caption = "Each pixel is the mean over all labelled images of the class. Where it is blurred, writers differ."
    return Picture(
        "mean_images", "Mean image of each class", caption, f"The mean images of {len(names)} classes.", figure
    )


def samples(dataset: Arrays, names: list[str]) -> Picture:
    """A grid of 5 × 5 random images with their labels."""
    images, labels = dataset["sample_images"], _sample_labels(dataset, names)
    caption = f"{len(images)} labelled images, drawn at random, with their labels."
    return Picture("samples", "Sample images", caption, f"{caption} {', '.join(labels)}.", tiles(images, labels, 5))


def _sample_labels(dataset: Arrays, names: list[str]) -> list[str]:
    return [names[label] for label in dataset["labels"][dataset["sample_rows"]]]


def colour_maps(dataset: Arrays) -> Picture:
    """Four random images, each in its own colour map."""
    images = dataset["sample_images"][: len(COLOUR_MAPS)]
    side, above = HALF / 2, 0.24
    figure, axes = blank_axes(HALF, 2 * (side + above))
    for number, (image, cmap) in enumerate(zip(images, COLOUR_MAPS, strict=False)):
        left, top = (number % 2) * side, (number // 2) * (side + above) + above
        place_image(axes, image, left, top, side * 0.94, cmap)
        axes.text(left + side * 0.47, top - 0.04, cmap, ha="center", va="bottom")
    caption = "Four random images, each in another colour map: faint strokes show in some that grey hides."
    return Picture("colour_maps", "Four images in colour maps", caption, caption, figure)


def pixel_values(dataset: Arrays, names: list[str]) -> Picture:
    """One image with the value of each pixel written into it."""
    full = dataset["sample_images"][0]
    image = _middle(full)
    figure, axes = canvas(FULL, FULL * image.shape[0] / image.shape[1])
    axes.set_position((0, 0, 1, 1))
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    axes.axis("off")
    size = min(13, 230 / max(image.shape))
    for (row, column), value in np.ndenumerate(image):
        if value:
            colour = "black" if value > 127 else "white"
            axes.text(column, row, str(value), ha="center", va="center", fontsize=size, color=colour)
    cropped = "" if image.shape == full.shape else f" (its middle {image.shape[0]} × {image.shape[1]} pixels)"
    label = _sample_labels(dataset, names)[0]
    caption = f"An image of “{label}”{cropped} with its pixel values, 0 (black, not written) to 255 (white)."
    return Picture("pixel_values", "One image, pixel by pixel", caption, caption, figure)


def _middle(image: np.ndarray) -> np.ndarray:
    top, left = (max(0, (size - SHOWN_PIXELS) // 2) for size in image.shape)
    return image[top : top + SHOWN_PIXELS, left : left + SHOWN_PIXELS]


def augmentation(image: np.ndarray, augmented: np.ndarray, run: RunContents) -> Picture:
    """An image, and augmented copies as training sees them.

    Args:
        image: (height, width[, 3]) uint8.
        augmented: (copies, height, width[, 3]) uint8.
        run: Of whose training the augmentation is.
    """
    strength = run.config.members.recipe.augmentation
    figure = tiles([image, *augmented], ["before", *["after"] * len(augmented)], 5)
    zoom, shift = percent(strength.zoom, 0), percent(strength.shift, 0)
    changes = f"turned by up to {strength.rotation:g}°, zoomed by up to {zoom}, shifted by up to {shift} of the side"
    changes += f", sheared by up to {strength.shear:g}°" if strength.shear else ""
    if strength.flip:
        axes = "horizontally and vertically" if strength.flip == "both" else f"{strength.flip}ly"
        changes += f", mirrored {axes} every other time"
    caption = f"The same image before and after augmentation: {changes}. A new draw for every image of every epoch."
    return Picture("augmentation", "Before and after augmentation", caption, caption, figure)
