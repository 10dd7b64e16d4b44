"""What drawing a report goes through, for a progress bar."""

from dataclasses import dataclass

STEPS = ("results", "baselines", "ensemble", "hard cases", "environment", "network", "data", "members", "page")


@dataclass(frozen=True)
class ReportStep:
    """One step that is about to begin."""

    name: str  # one of STEPS
    done: int  # steps done before it
    total: int
