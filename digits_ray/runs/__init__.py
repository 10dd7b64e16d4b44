"""A run from its data to its report: the pipeline, its state, its events, and the finished run."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.runs.callbacks import CallbackList, RunCallback
    from digits_ray.runs.comparison import ComparedRun, Comparison, compare
    from digits_ray.runs.decisions import DecisionOptions, decide
    from digits_ray.runs.distillation import distil, run_distillation
    from digits_ray.runs.distillation_plan import plan_distillation
    from digits_ray.runs.ensemble_models import EnsembleModels
    from digits_ray.runs.finished_run import Run, load_run
    from digits_ray.runs.keras_models import augment
    from digits_ray.runs.networks import give_networks, read_network
    from digits_ray.runs.pipeline import run, tune
    from digits_ray.runs.records import BaselineRecord, MemberRecord
    from digits_ray.runs.run_path import new_run_path, resolve_out
    from digits_ray.runs.status import RunStatus, age, status_of

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "callbacks": ["CallbackList", "RunCallback"],
        "comparison": ["ComparedRun", "Comparison", "compare"],
        "decisions": ["DecisionOptions", "decide"],
        "distillation": ["distil", "run_distillation"],
        "distillation_plan": ["plan_distillation"],
        "ensemble_models": ["EnsembleModels"],
        "finished_run": ["Run", "load_run"],
        "keras_models": ["augment"],
        "networks": ["give_networks", "read_network"],
        "pipeline": ["run", "tune"],
        "records": ["BaselineRecord", "MemberRecord"],
        "run_path": ["new_run_path", "resolve_out"],
        "status": ["RunStatus", "age", "status_of"],
    },
)
