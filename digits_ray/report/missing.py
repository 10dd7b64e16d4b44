"""What a section of the page lacks, and why."""

from digits_ray.report.formatting import BASELINE_TITLES
from digits_ray.report.member_agreement import agreement_of_members
from digits_ray.report.run_contents import RunContents

CURE = "The same `digits-ray run` writes it again."


def missing_from_data(run: RunContents, inspection_error: str) -> list[str]:
    """Returns what the data's section lacks."""
    if run.dataset is None:
        return [f"The figures of this section are drawn from dataset.npz, which is missing or damaged. {CURE}"]
    if not run.finished_members:
        return ["No augmented image is shown, as no member is finished."]
    return [f"No augmented image is shown. {inspection_error}"] if inspection_error else []


def missing_from_baselines(run: RunContents, inspection_error: str) -> list[str]:
    """Returns what the baselines' section lacks."""
    fitted = {baseline.name for baseline in run.baselines}
    absent = [title for name, title in BASELINE_TITLES.items() if name not in fitted]
    return [f"Not fitted: {', '.join(absent)}."] if absent else []


def missing_from_members(run: RunContents, inspection_error: str) -> list[str]:
    """Returns what the members' section lacks."""
    if not run.finished_members:
        return ["No member is finished yet."]
    unfinished = len(run.members) - len(run.finished_members)
    texts = []
    if unfinished:
        texts.append(f"{unfinished} of {len(run.members)} members are not shown: they failed or were not finished.")
    if len(run.shown_members) < len(run.finished_members):
        shown, finished = len(run.shown_members), len(run.finished_members)
        texts.append(f"Pictures of single members show the first {shown} of {finished}.")
    return texts + ([f"{inspection_error} Filters and feature maps are missing."] if inspection_error else [])


def missing_from_ensemble(run: RunContents, inspection_error: str) -> list[str]:
    """Returns what the ensemble's section lacks."""
    if run.ensemble is None and run.finished_members:
        return [f"ensemble.npz is missing or damaged. {CURE}"]
    if run.ensemble is None:
        return ["No ensemble yet: no member is finished."]
    texts = [] if run.holdout else ["No rows were held out, or their labels are missing: accuracy cannot be shown."]
    is_alone = len(run.finished_members) == 1 and not run.is_single_network
    if is_alone:
        texts.append("One member agrees with itself: no agreement matrix.")
    if len(run.finished_members) == 2:  # a heat map of a single number says no more
        texts.append(agreement_of_members(run).text)
    return texts


def missing_from_cases(run: RunContents, inspection_error: str) -> list[str]:
    """Returns what the section of hard cases lacks."""
    if run.ensemble is None or run.case_images is None:
        return [f"No predictions yet, or cases.npz is missing or damaged. {CURE}"]
    texts = [] if run.holdout else ["No rows were held out: mistakes are not known."]
    if run.holdout and run.one_network_scores:
        texts.append("One network scored each held-out image: none is disputed.")
    elif run.holdout and not run.ensemble["holdout_disagreement"].any():
        texts.append("The members agree on every held-out image: none is disputed.")
    if run.holdout and (run.holdout.proba.argmax(axis=1) == run.holdout.labels).all():
        texts.append(f"The {run.model_name} is right on every held-out image.")
    return texts + ([] if run.data.get("test_rows") else ["There are no test images."])
