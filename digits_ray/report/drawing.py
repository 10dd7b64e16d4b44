"""Draws a report in two parts: one while the run is still ending, and one when it has its ensemble."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING

from digits_ray.report.steps import EARLY_STEPS, ReportStep

if TYPE_CHECKING:
    from digits_ray.report.inspection_process import InspectionProcess
    from digits_ray.report.page import Page
    from digits_ray.report.run_contents import RunContents


class ReportDrawing:
    """Draws report.html of one run. To be closed.

    `finish` alone draws all of it. What is called before works in a thread, while the run goes on.
    """

    def __init__(self, run_dir: str) -> None:
        """Takes the run's `out`: a path or URI."""
        self._run_dir = run_dir
        self._thread = ThreadPoolExecutor(1, "report")
        self._stopped = Event()
        self._process: InspectionProcess | None = None
        self._begun: Future[Page] | None = None

    def open_process(self) -> None:
        """Starts the process that inspects the best member's network, which lasts seconds; no member need be trained.

        It takes as much memory as Keras does. Where it cannot be started, the page says so.
        """
        with suppress(RuntimeError):  # no more threads may be started: `finish` does it
            self._thread.submit(self._open_process)

    def begin(self) -> None:
        """Draws what needs no ensemble: no member and no baseline is to come any more."""
        with suppress(RuntimeError):  # as above
            self._begun = self._thread.submit(self._draw_models, lambda name: None)

    def finish(self, on_step: Callable[[ReportStep], None]) -> str:
        """Draws what is missing; returns the path or URI of the page.

        Args:
            on_step: Called before each of the STEPS.

        Raises:
            UserError: there is no run, or the directory may not be written.
        """
        from digits_ray.report.sections import Needs  # matplotlib and scikit-learn: seconds to import

        begin_step = lambda name: on_step(ReportStep.named(name))  # noqa: E731
        page = self._drawn_models(begin_step)
        page.draw(Needs.ENSEMBLE, begin_step, self._stopped.is_set)
        begin_step("network")
        self._record_inspection(page)
        page.draw(Needs.INSPECTION, lambda name: None, self._stopped.is_set)
        begin_step("page")
        return page.write()

    def close(self) -> None:
        """Ends what is still being drawn, and the process."""
        self._stopped.set()
        try:
            self._thread.shutdown()
        finally:
            if self._process:
                self._process.close()

    def _drawn_models(self, begin_step: Callable[[str], None]) -> "Page":
        begin_step(EARLY_STEPS[0])
        if self._begun is None:
            return self._draw_models(begin_step)
        for name in EARLY_STEPS[1:]:
            begin_step(name)
        page = self._begun.result()
        page.read_again()
        return page

    def _draw_models(self, begin_step: Callable[[str], None]) -> "Page":
        from digits_ray.report.page import Page
        from digits_ray.report.sections import Needs

        page = Page(self._run_dir)
        self._inspect(page)
        page.draw(Needs.MODELS, begin_step, self._stopped.is_set)
        return page

    def _open_process(self, run: "RunContents | None" = None) -> None:
        from digits_ray.report.inspection_process import InspectionProcess
        from digits_ray.report.run_contents import read_run

        run = run or read_run(self._run_dir)
        if self._process is None and run.dataset is not None:
            recipe = run.config.members.recipe
            self._process = InspectionProcess(run.dataset["sample_images"][0], recipe.augmentation, recipe.backend)

    def _inspect(self, page: "Page") -> None:
        """Gives the process the best member's model, while other figures are drawn."""
        member = page.run.best_member
        if member is None or page.run.dataset is None:
            return
        try:
            self._open_process(page.run)
            if self._process:
                self._process.inspect(page.run.directory.members.model_file(member.spec.member_id))
        except (RuntimeError, OSError) as error:
            page.record_inspection_error(error)

    def _record_inspection(self, page: "Page") -> None:
        """Waits for what the process reports, if it has a model."""
        if page.run.best_member is None or self._process is None or page.inspection_error:
            return
        try:
            page.inspection = self._process.result()
        except (RuntimeError, OSError) as error:
            page.record_inspection_error(error)
