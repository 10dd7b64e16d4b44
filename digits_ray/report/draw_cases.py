"""Figures of the hard cases: disputed images, mistakes, doubtful labels, unsure test images."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from digits_ray.ensemble import hard_cases
from digits_ray.report import facts
from digits_ray.report.formatting import percent
from digits_ray.report.source import Arrays, Source
from digits_ray.report.style import FULL, HALF, LETTERS, VERMILLION, Picture, blank_axes, place_image, short, tiles

DISPUTED, SHOWN = 10, 15
SMALLEST = 5.5  # points that can still be read


def figures(source: Source) -> Iterator[Picture]:
    """Yields what can be drawn of hard cases."""
    if source.combined is None or source.cases is None:
        return
    if source.holdout:
        yield from _holdout_figures(source, source.cases)
    if len(source.combined["test_row_ids"]):
        yield least_sure(source, source.cases)
        if source.dataset is not None:
            yield predictions(source)


def _holdout_figures(source: Source, images: Arrays) -> Iterator[Picture]:
    assert source.holdout and source.combined is not None
    rows, proba, labels = source.holdout
    known = dict(zip(images["rows"].tolist(), images["images"], strict=True))
    shown = [
        hard_cases.most_disputed(proba, source.combined["holdout_disagreement"], DISPUTED),
        hard_cases.confident_mistakes(proba, labels, SHOWN),
        hard_cases.likely_wrong_labels(proba, labels, SHOWN),
    ]
    disputed, mistakes, doubtful = [[place for place in places if int(rows[place]) in known] for places in shown]
    if disputed:
        yield votes(source, disputed, [known[int(rows[place])] for place in disputed])
    if mistakes:
        yield _wrong(source, mistakes, [known[int(rows[place])] for place in mistakes])
    if doubtful:
        yield _doubtful(source, doubtful, [known[int(rows[place])] for place in doubtful])


def votes(source: Source, places: Sequence[int], images: Sequence[np.ndarray]) -> Picture:
    """Each disputed image, (height, width) uint8, with its label and every member's vote."""
    assert source.holdout
    rows, proba, labels = source.holdout
    members = source.shown
    tops = [facts.aligned(prediction, rows) for member in members if (prediction := member.prediction)]
    board = _Board([short(name, 9) for name in source.classes], len(members), len(places))
    board.head([str(member.spec.member_id) for member in members])
    cast = [[int(top[place]) for top in tops] for place in places]
    for line, (place, image, row) in enumerate(zip(places, images, cast, strict=True)):
        board.row(line, image, int(labels[place]), int(proba[place].argmax()), row)
    caption = (
        f"The held-out images that divide the members most (n = {len(places)}). "
        "Votes against the label are bold on orange."
        + (" An empty place is a member that trained on the image." if any(-1 in row for row in cast) else "")
        + (" Votes are numbers of classes, from 1 in the order of the data’s section." if board.numbered else "")
    )
    alt = f"{caption} Rows {', '.join(str(int(rows[place]) + 1) for place in places)} of the labelled file."
    return Picture("disputed", "The most disputed images", caption, alt, board.figure)


class _Board:
    """A table of images and votes; positions are inches from the top left."""

    LABEL, ENSEMBLE, LEFT, TOP, LINE = 0.95, 1.6, 2.0, 0.36, 0.52

    def __init__(self, names: Sequence[str], members: int, lines: int) -> None:
        longest = max(map(len, names), default=1)
        wished = max(0.3, 0.075 * longest + 0.1)  # inches of a vote
        room = FULL if self.LEFT + members * wished > HALF else HALF
        self.cell = min(wished, (room - self.LEFT) / max(members, 1))
        self.size = min(8.0, LETTERS * (self.cell - 0.04) / longest)
        self.numbered = self.size < SMALLEST
        self.names, self.votes = names, names
        if self.numbered:  # the names do not fit: numbers in the order of the classes
            self.names = [f"{name}\n({number})" for number, name in enumerate(names, start=1)]
            self.votes = [str(number) for number in range(1, len(names) + 1)]
            self.size = min(8.0, LETTERS * (self.cell - 0.04) / len(self.votes[-1]))
        self.figure, self.axes = blank_axes(room, self.TOP + lines * self.LINE)

    def head(self, members: Sequence[str]) -> None:
        """Writes the columns' names."""
        self._write(self.LABEL, 0.24, "label")
        self._write(self.ENSEMBLE, 0.24, "ensemble")
        self.axes.text(self.LEFT, 0.09, "vote of member", va="center", fontsize=8)
        for number, member in enumerate(members):
            self._write(self.LEFT + (number + 0.5) * self.cell, 0.24, member, fontsize=min(8, 34 * self.cell))

    def row(self, line: int, image: np.ndarray, label: int, winner: int, votes: Sequence[int]) -> None:
        """Draws one image, its label, the ensemble's class and each member's (-1: none)."""
        top = self.TOP + line * self.LINE
        place_image(self.axes, image, 0.05, top, 0.92 * self.LINE)
        self._write(self.LABEL, top + 0.24, self.names[label])
        self._vote(self.ENSEMBLE, top + 0.24, self.names[winner], winner != label, 8.0, 0.66)
        for number, vote in enumerate(votes):
            if vote >= 0:
                x = self.LEFT + (number + 0.5) * self.cell
                self._vote(x, top + 0.24, self.votes[vote], vote != label, self.size, self.cell)

    def _vote(self, x: float, y: float, text: str, wrong: bool, size: float, width: float) -> None:
        if wrong:
            box = Rectangle((x - 0.47 * width, y - 0.19), 0.94 * width, 0.38, color=VERMILLION, alpha=0.28, lw=0)
            self.axes.add_patch(box)
        self._write(x, y, text, fontsize=size, weight="bold" if wrong else "normal")

    def _write(self, x: float, y: float, text: str, **style: Any) -> None:
        self.axes.text(x, y, text, ha="center", va="center", **{"fontsize": 8, **style})


def _wrong(source: Source, places: Sequence[int], images: Sequence[np.ndarray]) -> Picture:
    caption = (
        f"Held-out images on which the ensemble is wrong and surest (n = {len(places)}): label → prediction with its "
        "probability, and the row of the labelled file."
    )
    return _labelled(source, places, images, "confident_mistakes", "Confident mistakes", caption)


def _doubtful(source: Source, places: Sequence[int], images: Sequence[np.ndarray]) -> Picture:
    caption = (
        f"{len(places)} labels that are likely wrong, by confident learning (Northcutt et al. 2021): the ensemble "
        "never saw these rows, and is as sure of another class as it is of that class's own images. "
        "Look before you correct."
    )
    return _labelled(source, places, images, "likely_wrong_labels", "Likely wrong labels", caption)


def _labelled(
    source: Source, places: Sequence[int], images: Sequence[np.ndarray], name: str, title: str, caption: str
) -> Picture:
    assert source.holdout
    rows, proba, labels = source.holdout
    names = [short(label, 8) for label in source.classes]
    texts = [
        f"{_arrow(names[label], names[best.argmax()])}\n{percent(best.max(), 0)} · row {row + 1}"
        for row, best, label in zip(rows[places], proba[places], labels[places], strict=True)
    ]
    alt = f"{caption} {'; '.join(text.replace(chr(10), ', ') for text in texts)}"
    return Picture(name, title, caption, alt, tiles(images, texts, 4))


def _arrow(label: str, predicted: str) -> str:
    return f"{label}{_gap(label, predicted)}→ {predicted}"


def _gap(first: str, second: str) -> str:
    """Returns a line's end between two long names, a space between short ones."""
    return " " if len(first) + len(second) <= 8 else "\n"


def least_sure(source: Source, images: Arrays) -> Picture:
    """The test images that the ensemble is least sure of, with their ids."""
    assert source.combined is not None
    rows, proba = source.combined["test_row_ids"], source.combined["test_proba"]
    known = dict(zip(images["test_rows"].tolist(), images["test_images"], strict=True))
    places = [place for place in hard_cases.least_sure(proba, SHOWN + 1) if int(rows[place]) in known]
    names = [short(label, 8) for label in source.classes]
    texts = [f"id {rows[place] + 1}\n{_two_best(proba[place], names)}" for place in places]
    figure = tiles([known[int(rows[place])] for place in places], texts, 4)
    caption = (
        f"The {len(places)} test images that the ensemble is least sure of, by their ids in the submission, each with "
        "its two likeliest classes. They are the ones to look at by eye."
    )
    return Picture("least_sure", "Least sure test images", caption, f"{caption} {'; '.join(texts)}", figure)


def _two_best(proba: np.ndarray, names: Sequence[str]) -> str:
    first, second = np.argsort(-proba, kind="stable")[:2]
    texts = [f"{names[place]}: {percent(proba[place], 0)}" for place in (first, second)]
    return f"{texts[0]}{_gap(names[first], names[second])}or {texts[1]}"


def predictions(source: Source) -> Picture:
    """A grid of 5 × 5 random test images with their predictions."""
    assert source.combined is not None and source.dataset is not None
    rows, images = source.dataset["test_sample_rows"], source.dataset["test_sample_images"]
    places = np.searchsorted(source.combined["test_row_ids"], rows)
    proba = source.combined["test_proba"][places]
    names = [short(label, 8) for label in source.classes]
    gap = " · " if max(map(len, names)) <= 3 else "\n"
    texts = [f"{names[one.argmax()]}{gap}{percent(one.max(), 0)}" for one in proba]
    caption = f"{len(texts)} random test images with the predicted class and its probability."
    return Picture("test_grid", "Test predictions", caption, f"{caption} {', '.join(texts)}.", tiles(images, texts, 5))
