"""Figures of the hard cases: disputed images, mistakes, doubtful labels, uncertain test images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from digits_ray.ensemble import hard_cases
from digits_ray.report import statistics
from digits_ray.report.formatting import percent
from digits_ray.report.plotting import Picture, short, tiles
from digits_ray.report.run_contents import RunContents
from digits_ray.report.votes_table import VotesTable

DISPUTED, SHOWN = 10, 15  # images in a figure


@dataclass(frozen=True, eq=False)
class Case:
    """One held-out image to be shown."""

    position: int  # among the held-out rows
    row_number: int  # in its labelled file, from 1
    image: np.ndarray  # (height, width[, 3]) uint8
    label: int
    proba: np.ndarray  # (classes,) float32, the ensemble's

    @property
    def predicted(self) -> int:
        return int(self.proba.argmax())


def figures(run: RunContents) -> Iterator[Picture]:
    """Yields what can be drawn of hard cases."""
    if run.ensemble is None or run.case_images is None:
        return
    if run.holdout:
        yield from _holdout_figures(run)
    if len(run.ensemble["test_row_ids"]):
        yield least_sure(run)
        if run.dataset is not None:
            yield predictions(run)


def _holdout_figures(run: RunContents) -> Iterator[Picture]:
    assert run.holdout and run.ensemble is not None
    proba, labels, names = run.holdout.proba, run.holdout.labels, run.class_names
    if disputed := _cases(run, hard_cases.most_disputed(proba, run.ensemble["holdout_disagreement"], DISPUTED)):
        yield votes(run, disputed)
    if mistakes := _cases(run, hard_cases.confident_mistakes(proba, labels, SHOWN)):
        yield _confident_mistakes(mistakes, names)
    if doubtful := _cases(run, hard_cases.likely_wrong_labels(proba, labels, SHOWN)):
        yield _likely_wrong_labels(doubtful, names)


def _cases(run: RunContents, positions: np.ndarray) -> list[Case]:
    """Returns the cases at these positions among the held-out rows, as far as their images were saved."""
    assert run.holdout and run.case_images is not None
    images = dict(zip(run.case_images["rows"].tolist(), run.case_images["images"], strict=True))
    row_ids = [int(row_id) for row_id in run.holdout.row_ids[positions]]
    return [
        Case(
            int(position),
            run.row_number(row_id),
            images[row_id],
            int(run.holdout.labels[position]),
            run.holdout.proba[position],
        )
        for position, row_id in zip(positions, row_ids, strict=True)
        if row_id in images
    ]


def votes(run: RunContents, cases: Sequence[Case]) -> Picture:
    """Each disputed image with its label and every member's vote."""
    assert run.holdout
    members = run.shown_members
    tops = [
        statistics.top_classes(prediction, run.holdout.row_ids)
        for member in members
        if (prediction := member.prediction)
    ]
    table = VotesTable([short(name, 9) for name in run.class_names], len(members), len(cases))
    table.write_head([str(member.spec.member_id) for member in members])
    votes_of = [[int(top[case.position]) for top in tops] for case in cases]
    for line, (case, members_votes) in enumerate(zip(cases, votes_of, strict=True)):
        table.draw_row(line, case.image, case.label, case.predicted, members_votes)
    caption = (
        f"The held-out images that divide the members most (n = {len(cases)}). "
        "Votes against the label are bold on orange."
        + (" An empty place is a member that trained on the image." if any(-1 in row for row in votes_of) else "")
        + (" Votes are numbers of classes, from 1 in the order of the data’s section." if table.numbered else "")
    )
    alt = f"{caption} Rows {', '.join(str(case.row_number) for case in cases)} of the labelled file."
    return Picture("disputed", "The most disputed images", caption, alt, table.figure)


def _confident_mistakes(cases: Sequence[Case], class_names: Sequence[str]) -> Picture:
    caption = (
        f"The held-out images that are predicted wrongly with most confidence (n = {len(cases)}): label → prediction "
        "with its probability, and the row of the labelled file."
    )
    return _labelled_images(cases, class_names, "confident_mistakes", "Confident mistakes", caption)


def _likely_wrong_labels(cases: Sequence[Case], class_names: Sequence[str]) -> Picture:
    caption = (
        f"{len(cases)} labels that are likely wrong, by confident learning (Northcutt et al. 2021): models that never "
        "saw these rows are as sure of another class as they are of that class's own images. "
        "Look before you correct."
    )
    return _labelled_images(cases, class_names, "likely_wrong_labels", "Likely wrong labels", caption)


def _labelled_images(cases: Sequence[Case], class_names: Sequence[str], name: str, title: str, caption: str) -> Picture:
    names = [short(label, 8) for label in class_names]
    texts = [
        f"{_arrow(names[case.label], names[case.predicted])}\n{percent(case.proba.max(), 0)} · row {case.row_number}"
        for case in cases
    ]
    alt = f"{caption} {'; '.join(text.replace(chr(10), ', ') for text in texts)}"
    return Picture(name, title, caption, alt, tiles([case.image for case in cases], texts, 4))


def _arrow(label: str, predicted: str) -> str:
    return f"{label}{_separator(label, predicted)}→ {predicted}"


def _separator(first: str, second: str) -> str:
    """Returns a line's end between two long names, a space between short ones."""
    return " " if len(first) + len(second) <= 8 else "\n"


def least_sure(run: RunContents) -> Picture:
    """The test images that the ensemble is least sure of, with their ids."""
    assert run.ensemble is not None and run.case_images is not None
    images = dict(zip(run.case_images["test_rows"].tolist(), run.case_images["test_images"], strict=True))
    row_ids, proba = run.ensemble["test_row_ids"], run.ensemble["test_proba"]
    positions = [p for p in hard_cases.least_sure(proba, SHOWN + 1) if int(row_ids[p]) in images]
    names = [short(label, 8) for label in run.class_names]
    texts = [f"id {row_ids[p] + 1}\n{_two_likeliest(proba[p], names)}" for p in positions]
    figure = tiles([images[int(row_ids[p])] for p in positions], texts, 4)
    caption = (
        f"The {len(positions)} test images that the {run.model_name} is least sure of, by their ids in the submission, "
        "each with its two likeliest classes. They are the ones to look at by eye."
    )
    return Picture("least_sure", "Least sure test images", caption, f"{caption} {'; '.join(texts)}", figure)


def _two_likeliest(proba: np.ndarray, names: Sequence[str]) -> str:
    first, second = np.argsort(-proba, kind="stable")[:2]
    texts = [f"{names[label]}: {percent(proba[label], 0)}" for label in (first, second)]
    return f"{texts[0]}{_separator(names[first], names[second])}or {texts[1]}"


def predictions(run: RunContents) -> Picture:
    """A grid of 5 × 5 random test images with their predictions."""
    assert run.ensemble is not None and run.dataset is not None
    row_ids, images = run.dataset["test_sample_rows"], run.dataset["test_sample_images"]
    proba = run.ensemble["test_proba"][np.searchsorted(run.ensemble["test_row_ids"], row_ids)]
    names = [short(label, 8) for label in run.class_names]
    separator = " · " if max(map(len, names)) <= 3 else "\n"
    texts = [f"{names[row.argmax()]}{separator}{percent(row.max(), 0)}" for row in proba]
    caption = f"{len(texts)} random test images with the predicted class and its probability."
    return Picture("test_grid", "Test predictions", caption, f"{caption} {', '.join(texts)}.", tiles(images, texts, 5))
