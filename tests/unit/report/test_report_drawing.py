"""A report that is begun before the run has its ensemble, and finished afterwards."""

import threading
from contextlib import closing
from pathlib import Path

import pytest
from report_runs import make_run

from digits_ray.report import ReportDrawing, draw_report, figure_files, inspection_process
from digits_ray.storage import layout

OF_THE_ENSEMBLE = (layout.ENSEMBLE, layout.CASES, layout.LEADERBOARD, layout.METRICS)


def files_of(run_dir: str) -> dict[str, bytes]:
    """The page and its pictures."""
    pictures = {path.name: path.read_bytes() for path in Path(run_dir, "figures").iterdir()}
    return {"page": Path(run_dir, "report.html").read_bytes(), **pictures}


@pytest.fixture
def without_png(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are written empty, which is quicker; the page holds them as SVG."""
    monkeypatch.setattr("digits_ray.report.figure_files.png_bytes", lambda figure, box: b"")


@pytest.mark.usefixtures("without_png")
def test_a_report_that_was_begun_without_an_ensemble_ends_as_one_drawn_at_once(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run", members=2)
    draw_report(run_dir)
    at_once = files_of(run_dir)
    contents = {name: Path(run_dir, name).read_bytes() for name in OF_THE_ENSEMBLE}
    for name in contents:
        Path(run_dir, name).unlink()
    with closing(ReportDrawing(run_dir)) as drawing:
        drawing.open_process()
        drawing.begin()
        assert drawing._begun
        drawing._begun.result()
        for name, content in contents.items():
            Path(run_dir, name).write_bytes(content)
        drawing.finish(lambda step: None)
    assert files_of(run_dir) == at_once


def test_an_error_of_what_was_begun_comes_out_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("digits_ray.report.figure_files.png_bytes", refuse)
    run_dir = make_run(tmp_path / "run", members=1, models=False)
    with closing(ReportDrawing(run_dir)) as drawing:
        drawing.begin()
        with pytest.raises(OSError, match="disk full"):
            drawing.finish(lambda step: None)


def test_closing_ends_the_process_and_the_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes: list[inspection_process.InspectionProcess] = []
    drawn, closing_begins = threading.Event(), threading.Event()

    class NotedProcess(inspection_process.InspectionProcess):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            processes.append(self)

    def first_picture(*args: object) -> bytes:
        drawn.set()
        closing_begins.wait(60)
        return b""

    monkeypatch.setattr(inspection_process, "InspectionProcess", NotedProcess)
    monkeypatch.setattr("digits_ray.report.figure_files.png_bytes", first_picture)
    run_dir = make_run(tmp_path / "run", members=1, models=False)
    drawing = ReportDrawing(run_dir)
    drawing.begin()
    assert drawn.wait(60)
    drawing._stopped.set()
    closing_begins.set()
    drawing.close()
    assert len(list(Path(run_dir, "figures").iterdir())) == 1, "more was drawn"
    (process,) = processes
    assert process._process.returncode is not None and not Path(process._folder.name).exists()


def test_a_process_that_gets_no_model_ends_with_its_parent(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "run", members=1, models=False)
    drawing = ReportDrawing(run_dir)
    drawing.open_process()
    drawing._thread.shutdown()
    assert drawing._process and drawing._process._process.stdin
    drawing._process._process.stdin.close()  # as the end of this process would
    assert drawing._process._process.wait(60) == 0
    drawing.close()


@pytest.mark.usefixtures("without_png")
def test_where_no_thread_can_be_started_all_is_drawn_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    run_dir = make_run(tmp_path / "run", members=1, models=False)
    with closing(ReportDrawing(run_dir)) as drawing:
        with monkeypatch.context() as without_threads:
            without_threads.setattr(threading.Thread, "start", refuse)
            drawing.open_process()
            drawing.begin()
        drawing.finish(lambda step: None)
    assert {"class_counts.png", "speed.png"} <= files_of(run_dir).keys()


def test_two_threads_draw_one_after_the_other() -> None:
    first_draws, first_ends, second_draws = threading.Event(), threading.Event(), threading.Event()

    def draw(begins: threading.Event, ends: threading.Event) -> None:
        with figure_files.figure_defaults():
            begins.set()
            assert ends.wait(60)

    first = threading.Thread(target=draw, args=(first_draws, first_ends))
    second = threading.Thread(target=draw, args=(second_draws, first_ends))
    first.start()
    assert first_draws.wait(60)
    second.start()
    assert not second_draws.wait(0.05), "drew while the first one did"
    first_ends.set()
    assert second_draws.wait(60)
    first.join()
    second.join()
