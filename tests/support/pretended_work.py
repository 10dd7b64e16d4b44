"""Takes the place of Ray, training, searching and drawing in a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from factories import spec_of
from recording_callback import RecordingCallback
from report_runs import invented_result

from digits_ray.baselines.scored_points import ScoredPoint
from digits_ray.baselines.search import SearchOutcome
from digits_ray.baselines.trial_records import TrialRecord
from digits_ray.config.schema import ResourcesConfig
from digits_ray.ensemble.predictions import MemberFailure, MemberResult
from digits_ray.report import ReportStep
from digits_ray.runs import pipeline, stages
from digits_ray.scheduling.resources import Plan


class PretendedWork:
    """Takes the place of Ray, training, searching and drawing; remembers what it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, recorder: RecordingCallback) -> None:
        self.recorder = recorder
        self.sessions = self.reports = 0
        self.drawing: list[str] = []  # what the report was asked for, and when Ray ended
        self.trained: list[int] = []
        self.searched: list[str] = []
        self.refitted: list[int] = []
        self.lost: set[int] = set()  # members that cannot be trained
        self.lost_refits: set[int] = set()
        self.report_error: Exception | None = None
        self.gpus_per_member = 0.0
        plan = lambda *_, **__: Plan(  # noqa: E731
            slots=2, cpus_per_member=1, gpus_per_member=self.gpus_per_member, threads=1, reason="2 members at a time"
        )  # fmt: skip
        monkeypatch.setattr(pipeline, "ray_session", self.session)
        monkeypatch.setattr(stages, "first_plan", plan)
        monkeypatch.setattr(stages.datasets, "put_dataset", lambda rows: None)
        monkeypatch.setattr("digits_ray.scheduling.trainer.fit_members", self.fit_members)
        monkeypatch.setattr("digits_ray.tracking.ray_metrics.RunGauges", lambda run: PretendedGauges())
        monkeypatch.setattr("digits_ray.baselines.search.search_baselines", self.search_baselines)
        monkeypatch.setattr(stages, "ReportDrawing", partial(PretendedDrawing, self))

    @contextmanager
    def session(self, resources: ResourcesConfig) -> Iterator[None]:
        self.sessions += 1
        yield
        self.drawing.append("Ray's end")

    def fit_members(
        self, specs: list[Any], inputs: Any, plan: Any, policy: Any, on_status: Any
    ) -> Iterator[MemberResult | MemberFailure]:
        for spec in specs:
            on_status([])
            (self.refitted if spec.is_refit else self.trained).append(spec.member_id)
            if spec.member_id in (self.lost_refits if spec.is_refit else self.lost):
                yield MemberFailure(spec.member_id, "FloatingPointError", "the loss is nan", attempts=3)
            else:
                yield invented_result(self.state(), spec)

    def search_baselines(
        self, specs: list[Any], search: Any, rows: Any, run: Any, plan: Any, on_status: Any
    ) -> Iterator[SearchOutcome]:
        on_status([])
        for spec in specs:
            self.searched.append(spec.kind)
            trial = spec.trials[0]
            params = trial.params | {axis: values[0] for axis, values in trial.sweep.items()}
            best = ScoredPoint(params, accuracy=0.9, nll=0.5, seconds=0.1)
            prediction = replace(invented_result(self.state(), spec_of()).prediction, model_id=spec.kind)
            yield SearchOutcome(spec, [TrialRecord(params, "done", [best])], best, prediction, 1.0, 2.0)

    def state(self) -> Any:
        """As much of a run's state as inventing a result takes."""
        data, _, folds = self.recorder.given("on_data_loaded")
        return SimpleNamespace(inputs=SimpleNamespace(data=data, folds=folds))


@dataclass
class PretendedDrawing:
    """Draws an empty page; remembers in the work when it was called."""

    work: PretendedWork
    path: str

    def open_process(self) -> None:
        self.work.drawing.append("open_process")

    def begin(self) -> None:
        self.work.drawing.append("begin")

    def finish(self, on_step: Any) -> None:
        self.work.reports += 1
        self.work.drawing.append("finish")
        if self.work.report_error:
            raise self.work.report_error
        on_step(ReportStep("page", done=0, total=1))
        (Path(self.path) / "report.html").write_text("<html>")

    def close(self) -> None:
        self.work.drawing.append("close")


class PretendedGauges:
    def set_members(self, statuses: object) -> None: ...

    def set_ensemble(self, metrics: object) -> None: ...
