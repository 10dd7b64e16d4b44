"""What metrics.json may hold, and what a terminal makes of it."""

from io import StringIO
from typing import Any

from rich.console import Console

SCORES = {"rows": 144, "accuracy": 0.98611, "accuracy_ci95": [0.95, 0.996], "nll": 0.05, "brier": 0.02, "ece": 0.01}
MEMBER = {"id": 0, "status": "done", "holdout": SCORES, "fit_seconds": 12.0}
FAILED = {"id": 1, "status": "failed", "error": "FloatingPointError: the loss is nan"}


def metrics_of(members: list[dict[str, Any]], **ensemble: Any) -> dict[str, Any]:
    used = sum(member["status"] == "done" for member in members)
    return {
        "data": {"test_rows": 10},
        "members": members,
        "baselines": {},
        "ensemble": {"members_used": used, "holdout": SCORES, "against_best_member": None} | ensemble,
        "timing": {"wall_seconds": 30.0},
    }


def shown(picture: Any, width: int = 100) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(picture)
    return console.file.getvalue()  # type: ignore[attr-defined]
