"""The names of everything inside a run directory. No other module spells or parses one.

config.yaml · data.json · preset.yaml   what went in
members/007/                            a finished member, result.json written last
members/007/attempts/<attempt>/         saved epochs of an unfinished member
members/007/refit/                      the member trained once more on all labelled rows: the same files
baselines/knn/                          a finished baseline, result.json written last
baselines/knn/trials/<key>.json         finished trials of an unfinished search
networks/<hash>/nets.py                 a copy, to be read, of a file with a network of the user's own; never executed
metrics.json · leaderboard.csv · submission.csv · report.html · figures/        what people open
label_issues.csv                        held-out rows whose label the ensemble contradicts
drawing.json                            how the training images are inked and centred, for drawings
ensemble.npz · dataset.npz · cases.npz                                          what the report is drawn from
distilled/ · distilled-2/ · …           run directories of one network that has learnt from the members
teachers.npz                            in these alone: the members' probabilities, which it learns
"""

import re
from dataclasses import dataclass

CONFIG = "config.yaml"
DATA = "data.json"
PRESET = "preset.yaml"  # the preset as it was defined when the run was made

METRICS = "metrics.json"
LEADERBOARD = "leaderboard.csv"
SUBMISSION = "submission.csv"
LABEL_ISSUES = "label_issues.csv"
REPORT = "report.html"
FIGURES = "figures"  # a folder

ENSEMBLE = "ensemble.npz"
DATASET = "dataset.npz"
CASES = "cases.npz"
TEACHERS = "teachers.npz"
DRAWING = "drawing.json"  # how the training images are inked and centred

SPEC = "spec.json"  # from here on in the folder of a member or baseline
HISTORY = "history.csv"
EVENTS = "events.out.tfevents.history"  # TensorBoard takes any file whose name holds "tfevents"
PREDICTIONS = "predictions.npz"
MODEL = "model.keras"
RESULT = "result.json"
TRIALS = "trials.csv"

DRIVER_PROBE = ".driver"  # a random text, by which an actor checks that it shares the driver's storage
DOCTOR_PROBE = ".doctor"  # a folder for files that `doctor` writes and deletes
LOCK = ".lock"
LEASE = ".lease"

_SAVED_EPOCH = re.compile(r"members/(\d+)/(refit/)?attempts/(\d+-[^/]+)/epoch-(\d+)\.npz")
_BASELINE_RESULT = re.compile(rf"baselines/(\w+)/{re.escape(RESULT)}")


def distilled_folder(number: int) -> str:
    """Returns the folder of a run's first, second, … distilled network, from 1: each is a run directory by itself."""
    return "distilled" if number == 1 else f"distilled-{number}"


def figure(name: str) -> str:
    """Returns the file of one of the report's figures."""
    return f"{FIGURES}/{name}.png"


def network_file(key: str, name: str) -> str:
    """Returns the copy of a file with a network of the user's own.

    Args:
        key: The beginning of the hash of its content.
        name: The file's, without its folder.
    """
    return f"networks/{key}/{name}"


def member_folder(member_id: int, *, refit: bool = False) -> str:
    """Returns the folder of a member, or of its refit."""
    return f"members/{member_id:03d}{'/refit' if refit else ''}"


def member_file(member_id: int, name: str, *, refit: bool = False) -> str:
    """Returns a file of a finished member, e.g. RESULT, or of its finished refit."""
    return f"{member_folder(member_id, refit=refit)}/{name}"


def attempts_folder(member_id: int, *, refit: bool = False) -> str:
    """Returns the folder of the saved epochs of an unfinished member, or of its refit; a folder an attempt."""
    return f"{member_folder(member_id, refit=refit)}/attempts"


@dataclass(frozen=True)
class SavedEpochFile:
    """The file of one saved epoch of an unfinished member."""

    member_id: int
    attempt: str  # its number and something unlike all others, e.g. "01-5e59c718"
    epoch: int  # epochs that were finished when it was saved
    refit: bool = False  # whether it is of the member's refit

    @property
    def name(self) -> str:
        return f"{attempts_folder(self.member_id, refit=self.refit)}/{self.attempt}/epoch-{self.epoch:06d}.npz"

    @property
    def attempt_number(self) -> int:
        """The attempt's number, from 1."""
        return int(self.attempt.partition("-")[0])

    @classmethod
    def parse(cls, name: str) -> "SavedEpochFile | None":
        """Parses a file's name; None where it is no saved epoch."""
        match = _SAVED_EPOCH.fullmatch(name)
        return cls(int(match[1]), match[3], int(match[4]), bool(match[2])) if match else None


def attempt_name(number: int, token: str) -> str:
    """Returns the name of a member's attempt.

    Args:
        number: From 1.
        token: Unlike those of all other attempts: a half-dead one may carry the same number.
    """
    return f"{number:02d}-{token}"


def baseline_folder(kind: str) -> str:
    """Returns the folder of a baseline, e.g. "knn"."""
    return f"baselines/{kind}"


def baseline_file(kind: str, name: str) -> str:
    """Returns a file of a finished baseline, e.g. RESULT."""
    return f"{baseline_folder(kind)}/{name}"


def trials_folder(kind: str) -> str:
    """Returns the folder of an unfinished search's finished trials."""
    return f"{baseline_folder(kind)}/trials"


def trial_file(kind: str, key: str) -> str:
    """Returns the file of one finished trial of an unfinished search."""
    return f"{trials_folder(kind)}/{key}.json"


def finished_baseline(name: str) -> str | None:
    """Returns the baseline whose result.json a file's name is; None where it is another file."""
    match = _BASELINE_RESULT.fullmatch(name)
    return match[1] if match else None
