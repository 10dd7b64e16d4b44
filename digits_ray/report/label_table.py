"""The audit of labels as a table: each contradicted label with its image."""

from base64 import b64encode
from io import BytesIO

import numpy as np
from markupsafe import Markup

from digits_ray.ensemble import LabelIssue, label_issues
from digits_ray.report.formatting import percent
from digits_ray.report.plotting import short
from digits_ray.report.run_contents import RunContents
from digits_ray.report.tables import Table
from digits_ray.storage import layout

SHOWN = 15  # lines


def label_issues_table(run: RunContents) -> Table | None:
    """The held-out rows whose label the ensemble contradicts, the most certain first; None where there are none."""
    if not run.holdout or run.ensemble is None:
        return None
    holdout = run.holdout
    disagreement = None if run.one_network_scores else run.ensemble["holdout_disagreement"]
    issues = label_issues(holdout.row_ids, holdout.proba, disagreement, holdout.labels)
    if not issues:
        return None
    images = _images(run)
    rows = [_line(run, issue, images.get(issue.row_id)) for issue in issues[:SHOWN]]
    columns = ("Row", "Image", "Label", "Predicted", "Confidence", "Label’s probability", "Models agreeing", "Suspect")
    return Table(f"Labels that the {run.model_name} contradicts", columns, rows, _note(run, len(issues)))


def _note(run: RunContents, issues: int) -> str:
    assert run.holdout
    shown = f"The most certain {SHOWN} of {issues:,}" if issues > SHOWN else f"All {issues:,}"
    file = f" All are in {layout.LABEL_ISSUES}." if issues > SHOWN and layout.LABEL_ISSUES in run.files else ""
    return (
        f"{shown}, among {len(run.holdout.labels):,} held-out rows, by models that never saw them.{file} Suspect: by "
        f"confident learning (Northcutt et al. 2021) the label is likely wrong; of the others the {run.model_name} is "
        "less sure. Rows count from 1. Look before you correct."
    )


def _images(run: RunContents) -> dict[int, np.ndarray]:
    """Returns the images (height, width[, 3]) that were saved of hard cases, by row id."""
    if run.case_images is None:
        return {}
    return dict(zip(run.case_images["rows"].tolist(), run.case_images["images"], strict=True))


def _line(run: RunContents, issue: LabelIssue, image: np.ndarray | None) -> list[str]:
    label, predicted = short(run.class_names[issue.label]), short(run.class_names[issue.predicted])
    return [
        str(run.row_number(issue.row_id)),
        "–" if image is None else _picture(image, f"labelled {label}"),
        label,
        predicted,
        percent(issue.confidence),
        percent(issue.label_probability),
        "" if issue.agreement is None else percent(issue.agreement, 0),
        "yes" if issue.is_likely_wrong else "",
    ]


def _picture(image: np.ndarray, description: str) -> Markup:
    """Returns an image as an element that needs no file."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    source = f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
    return Markup('<img src="{}" alt="{}">').format(source, description)
