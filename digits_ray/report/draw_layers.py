"""Figures of what the convolution layers of a network have learnt."""

import numpy as np
from matplotlib.figure import Figure

from digits_ray.report.model_inspection import Convolution
from digits_ray.report.plotting import HALF, Picture

MOSAIC_COLUMNS = 8


def layer(convolution: Convolution) -> Picture:
    """The filters of one convolution layer, and its feature maps of the sample image."""
    blocks = [("filters (blue +, red −)", convolution.filters, "RdBu"), ("feature maps", convolution.maps, "viridis")]
    rows = -(-len(convolution.filters) // MOSAIC_COLUMNS)
    figure = Figure(figsize=(HALF, 2 * (0.22 + rows * HALF / MOSAIC_COLUMNS)), layout="constrained")
    for axes, (title, images, cmap) in zip(figure.subplots(2, 1), blocks, strict=True):
        mosaic, limit = _mosaic(images), float(np.abs(images).max()) or 1.0
        axes.imshow(mosaic, cmap=cmap, vmin=-limit if cmap == "RdBu" else 0, vmax=limit)
        axes.set_title(title, loc="left", fontsize=8, pad=4)
        axes.axis("off")
    shown, total = len(convolution.filters), convolution.total
    which = f"The first {shown} of {total}" if shown < total else f"All {total}"
    height, width = convolution.filters.shape[1:]
    caption = (
        f"{which} filters, {height} × {width}, mean over input channels; and what they make of the sample image, "
        f"{' × '.join(map(str, convolution.maps.shape[1:]))} (brighter: stronger)."
    )
    return Picture(f"layer_{convolution.name}", f"Layer {convolution.name}", caption, caption, figure)


def _mosaic(images: np.ndarray) -> np.ndarray:
    """Puts (images, height, width) side by side with gaps of NaN; each is enlarged so that gaps stay thin."""
    scale = max(1, 24 // max(images.shape[1:]))
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width = images.shape
    rows = -(-count // MOSAIC_COLUMNS)
    gap = max(1, width // 12)
    mosaic = np.full((rows * (height + gap) - gap, MOSAIC_COLUMNS * (width + gap) - gap), np.nan, np.float32)
    for number, image in enumerate(images):
        top, left = (number // MOSAIC_COLUMNS) * (height + gap), (number % MOSAIC_COLUMNS) * (width + gap)
        mosaic[top : top + height, left : left + width] = image
    return mosaic
