"""What drawing a report goes through, for a progress bar."""

from dataclasses import dataclass

EARLY_STEPS = ("results", "data", "baselines", "members")  # which need no ensemble
STEPS = (*EARLY_STEPS, "ensemble", "hard cases", "network", "page")


@dataclass(frozen=True)
class ReportStep:
    """One step that is about to begin."""

    name: str  # one of STEPS
    done: int  # steps done before it
    total: int

    @classmethod
    def named(cls, name: str) -> "ReportStep":
        """Returns the step of this name."""
        return cls(name, STEPS.index(name), len(STEPS))
