"""How far members and searches are, a line each."""

from digits_ray.baselines import describe
from digits_ray.config import Config, architecture_name
from digits_ray.progress import MemberStatus, Progress, SearchStatus
from digits_ray.report import duration, percent, percent_with_interval
from digits_ray.runs import BaselineRecord

SHOWN_MEMBERS = 4  # in a line


def built_in_recipe_line(config: Config) -> str:
    """Returns how the built-in digits are trained on."""
    recipe, networks = config.members.recipe, ", ".join(map(architecture_name, config.members.architectures))
    steps = f", {recipe.min_steps} steps or more" if recipe.min_steps else ""
    epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"
    return f"Recipe for the built-in digits: {networks}, {epochs} of batches of {recipe.batch_size}{steps}."


def members_line(statuses: list[MemberStatus]) -> str:
    """Returns the count of each state, and the progress of at most SHOWN_MEMBERS members that are training."""
    training = [_member_text(s.progress) for s in statuses if s.state == "training" and s.progress]
    hidden = len(training) - SHOWN_MEMBERS
    more = f" · and {hidden} more" if hidden > 0 else ""
    return " · ".join([state_counts(statuses), *training[:SHOWN_MEMBERS]]) + more


def _member_text(progress: Progress) -> str:
    loss = f", loss {progress.loss:.3f}" if progress.loss is not None else ""
    left = f", {time_left(progress)}" if time_left(progress) else ""
    return f"{progress.member_id}: epoch {progress.epoch:.1f}/{progress.epochs}{loss}{left}"


def state_counts(statuses: list[MemberStatus]) -> str:
    """Returns "3 done · 2 training"."""
    states = [status.state for status in statuses]
    counts = {name: states.count(name) for name in ("done", "training", "starting", "waiting", "failed")}
    return " · ".join(f"{count} {name}" for name, count in counts.items() if count)


def time_left(progress: Progress) -> str:
    """Returns how long the member will still train ("1.6 min left"), or that it is predicting; "" where unknown."""
    if progress.epoch >= progress.epochs:
        return "predicting"
    return f"{duration(progress.seconds_left)} left" if progress.seconds_left is not None else ""


def search_line(status: SearchStatus) -> str:
    """Returns the trials of a search, the best so far and its accuracy on the validation rows."""
    failed = f", {status.failed} failed" if status.failed else ""
    best = f" · best {100 * status.best_accuracy:.2f} %: {status.best}" if status.best_accuracy is not None else ""
    return f"{status.kind}: {status.done} of {status.trials} trials{failed}{best}"


def baseline_line(record: BaselineRecord) -> str:
    """Returns a baseline's accuracy on the held-out rows, on the rows that chose it, and its settings."""
    holdout = percent_with_interval(record.holdout) if record.holdout else "no held-out rows"
    choice = f"chosen at {percent(record.validation.accuracy)} of {record.validation.rows:,} validation rows"
    return f"{holdout} · {choice} · {describe(record.best)}"
