"""What a section has to leave out, and why."""

from digits_ray.report.formatting import TITLES
from digits_ray.report.source import Source

CURE = "The same `digits-ray run` writes it anew."


def no_data(source: Source, trouble: str) -> list[str]:
    """Returns what is missing of the data's section."""
    if source.dataset is None:
        return [f"The figures of this section are drawn from dataset.npz, which is missing or damaged. {CURE}"]
    if not source.done:
        return ["No augmented image is shown, as no member is finished."]
    return [f"No augmented image is shown. {trouble}"] if trouble else []


def no_baselines(source: Source, trouble: str) -> list[str]:
    """Returns what is missing of the baselines' section."""
    absent = [title for name, title in TITLES.items() if name not in {one.name for one in source.baselines}]
    return [f"Not fitted: {', '.join(absent)}."] if absent else []


def no_members(source: Source, trouble: str) -> list[str]:
    """Returns what is missing of the members' section."""
    if not source.done:
        return ["No member is finished yet."]
    unfinished = len(source.members) - len(source.done)
    found = [f"{unfinished} of {len(source.members)} members are not shown: they failed or were not finished."]
    found = found if unfinished else []
    if len(source.shown) < len(source.done):
        found.append(f"Pictures of single members show the first {len(source.shown)} of {len(source.done)}.")
    return found + ([f"{trouble} Filters and feature maps are missing."] if trouble else [])


def no_ensemble(source: Source, trouble: str) -> list[str]:
    """Returns what is missing of the ensemble's section."""
    if source.combined is None and source.done:
        return [f"ensemble.npz is missing or damaged. {CURE}"]
    if source.combined is None:
        return ["No ensemble yet: no member is finished."]
    found = [] if source.holdout else ["No rows were held out, or their labels are missing: accuracy cannot be shown."]
    return found + (["One member agrees with itself: no agreement matrix."] if len(source.done) == 1 else [])


def no_cases(source: Source, trouble: str) -> list[str]:
    """Returns what is missing of the section of hard cases."""
    if source.combined is None or source.cases is None:
        return [f"No predictions yet, or cases.npz is missing or damaged. {CURE}"]
    found = [] if source.holdout else ["No rows were held out: mistakes are not known."]
    if source.holdout and not source.combined["holdout_disagreement"].any():
        found.append("The members agree on every held-out image: none is disputed.")
    if source.holdout and not _mistakes(source):
        found.append("The ensemble is right on every held-out image.")
    return found + ([] if source.data.get("test_rows") else ["There are no test images."])


def _mistakes(source: Source) -> int:
    assert source.holdout
    _, proba, labels = source.holdout
    return int((proba.argmax(axis=1) != labels).sum())
