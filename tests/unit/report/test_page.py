"""The page: drawn from the run directory alone, complete, and with nothing outside itself."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from report_runs import arrays_of, make_run

from digits_ray.errors import UserError
from digits_ray.report import STEPS, draw_report
from digits_ray.report.inspection_process import InspectionProcess
from digits_ray.report.plotting import short
from digits_ray.report.run_contents import read_run

SECTIONS = ("data", "baselines", "members", "ensemble", "cases", "environment")
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Opens what a browser would, and refuses tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [values["id"]] if values.get("id") else []
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def visible_text(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def complete_run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run with everything, drawn."""
    place = make_run(tmp_path_factory.mktemp("runs") / "complete", names=("<b>", "zwei & drei", "c", "d"))
    draw_report(place)
    return place


@pytest.fixture
def closed_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model can be opened, and figures are not written as PNG: tests about something else need not wait."""

    def refuse(*args: object) -> None:
        raise RuntimeError("killed by signal 9, perhaps out of memory")

    monkeypatch.setattr("digits_ray.report.inspection_process.InspectionProcess", refuse)
    monkeypatch.setattr("digits_ray.report.figure_files.png_bytes", lambda figure, box: b"")


def drawn(place: str) -> Page:
    return Page(Path(draw_report(place)).read_text(encoding="utf8"))


def page_of(place: str) -> Page:
    return Page(Path(place, "report.html").read_text(encoding="utf8"))


def test_the_page_parses_and_holds_each_section(complete_run: str) -> None:
    page = page_of(complete_run)
    assert page.open == []
    assert set(SECTIONS) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids)), "an id twice"


def test_the_page_references_nothing_outside_itself(complete_run: str) -> None:
    text = Path(complete_run, "report.html").read_text(encoding="utf8")
    page = page_of(complete_run)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids), "a link to nothing"
    assert not re.search(r"https?://|@import|url\((?!#)|<script", text)


def test_each_figure_is_well_formed_has_a_description_and_lies_as_png(complete_run: str) -> None:
    text = Path(complete_run, "report.html").read_text(encoding="utf8")
    figures = re.findall(r'<figure id="([^"]+)".*?(<svg.*?</svg>)', text, flags=re.DOTALL)
    assert len(figures) >= 25
    for name, svg in figures:
        assert len(ET.fromstring(svg).attrib["aria-label"]) > 20
        assert Path(complete_run, f"figures/{name}.png").read_bytes()[1:4] == b"PNG"
    assert {path.stem for path in Path(complete_run, "figures").iterdir()} == {name for name, _ in figures}


def test_labels_are_escaped_wherever_they_stand(complete_run: str) -> None:
    text = Path(complete_run, "report.html").read_text(encoding="utf8")
    assert "<b>" not in text and "&lt;b&gt;" in text
    assert "zwei & drei" in page_of(complete_run).visible_text or "zwei &amp; drei" in text


def test_the_accuracy_comes_first(complete_run: str) -> None:
    text = page_of(complete_run).visible_text
    head = text[: text.index("Checked before training")]
    for part in (
        "ensemble accuracy", "95 % interval", "n = 24", "best member", "mean of 3 members", "best baseline",
        "of 24 rows that both", "significant at 5 % (McNemar’s p", "Submission", "digits-ray run --config",
        "what one network gives: ±", "best of 3 members on these same rows", "best of 3 baselines on these same rows",
    ):  # fmt: skip
        assert part in head
    assert head.index("mean of 3 members") < head.index("best member")


@pytest.mark.usefixtures("closed_models")
def test_a_run_of_a_single_network_knows_no_ensemble_and_no_best_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digits_ray.report.figure_files.png_bytes", lambda figure, box: b"")
    text = drawn(make_run(tmp_path / "run", members=1, models=False)).visible_text
    assert "network accuracy" in text[: text.index("Checked before training")]
    assert "best baseline (" in text and "the network alone is right on" in text
    for absent in ("the ensemble", "The ensemble", "ensemble accuracy", "est member", "members’ vote"):
        assert absent not in text
    figures = {file.stem for file in (tmp_path / "run" / "figures").iterdir()}
    assert "confusion_ensemble" in figures
    assert not {"confusion_member", "ensemble_size", "agreement"} & figures


@pytest.mark.usefixtures("closed_models")
def test_drawing_again_gives_the_same_page(tmp_path: Path) -> None:
    """In the same process; another process draws all figures of a complete run, below."""
    run = make_run(tmp_path / "run", members=2, models=False)
    before = Path(draw_report(run)).read_bytes()
    assert Path(draw_report(run)).read_bytes() == before


def test_the_network_is_opened_and_the_image_scaled_once(complete_run: str) -> None:
    from digits_ray.config.schema import Augmentation

    model = Path(complete_run, "members/000/model.keras").read_bytes()
    with closing(InspectionProcess(np.full((8, 8), 255, np.uint8), Augmentation(0, 0, 0), "tensorflow")) as process:
        process.inspect(model)
        inspection = process.result()
    assert [layer.kind for layer in inspection.layers][:3] == ["Reshape", "Rescaling", "Conv2D"]
    assert inspection.layers[2].parameters == 80 and inspection.layers[2].shape == "4 × 4 × 8"
    layers = [(layer.name, layer.total, len(layer.maps)) for layer in inspection.convolutions]
    assert layers == [("first", 8, 8), ("second", 20, 16)]
    assert (inspection.augmented == 255).all()
    kernel_sums = 9 * inspection.convolutions[0].filters.mean(axis=(1, 2))  # an all-white image gives each filter's sum
    assert inspection.convolutions[0].maps[:, 1, 1] == pytest.approx(np.maximum(kernel_sums, 0), abs=1e-5)


def test_a_run_on_colour_images_is_drawn_in_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digits_ray.report.figure_files.png_bytes", lambda figure, box: b"")
    page = drawn(make_run(tmp_path / "run", members=1, baselines=False, colour=True))
    assert "8 × 8 pixels, in colour" in page.visible_text
    figures = {file.stem for file in (tmp_path / "run" / "figures").iterdir()}
    assert {"samples", "mean_images", "augmentation", "layer_first", "confident_mistakes", "test_grid"} <= figures
    assert not {"colour_maps", "pixel_values"} & figures


@pytest.mark.usefixtures("closed_models")
def test_steps_are_reported_in_order(tmp_path: Path) -> None:
    steps: list[tuple[str, int]] = []
    place = make_run(tmp_path / "run", members=1, models=False)
    draw_report(place, lambda step: steps.append((step.name, step.done)))
    assert steps == [(name, done) for done, name in enumerate(STEPS)]


@pytest.mark.usefixtures("closed_models")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baselines": False}, "No baselines were fitted"),
        ({"test": 0}, "There was no test file"),
        (
            {"failed": 1},
            "Member 1 was given up (the same command tries it again): ResourceExhaustedError: out of memory <GPU 0>",
        ),
        ({"finished": 2}, "not over when this page was drawn: 2 of 3 members"),
        ({"finished": 0}, "No member was finished"),
        ({"split__scheme": "none"}, "No rows were held out"),
        ({"split__scheme": "kfold"}, "n = 144 rows"),
        ({"members": 1, "skill": 9.0, "epochs": 1}, "right on every held-out image"),
    ],
)
def test_a_run_that_lacks_something_says_so(tmp_path: Path, changes: dict, message: str) -> None:
    page = drawn(make_run(tmp_path / "run", models=False, **changes))
    assert message in page.visible_text and set(SECTIONS) <= set(page.ids)
    assert changes.get("finished") == 0 or "model could not be opened: killed by signal 9" in page.visible_text


def test_of_equally_accurate_members_the_leaderboards_first_is_the_best(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", skill=3.0, models=False, baselines=False))
    assert run.members[0].accuracy == run.members[1].accuracy, "the tie that this test is about"
    assert run.best_member and run.best_member.name == "member-001"
    assert run.best_member.name == run.metrics["ensemble"]["against_best_member"]["member"]


@pytest.mark.usefixtures("closed_models")
@pytest.mark.parametrize("lost", ["metrics.json", "dataset.npz", "cases.npz", "ensemble.npz", "leaderboard.csv"])
def test_a_lost_file_costs_its_figures_only(tmp_path: Path, lost: str) -> None:
    place = make_run(tmp_path / "run", members=2, models=False, baselines=lost == "ensemble.npz")
    Path(place, lost).unlink()
    assert set(SECTIONS) <= set(drawn(place).ids)


@pytest.mark.usefixtures("closed_models")
@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ("dataset.npz", "drawn from dataset.npz, which is missing or damaged"),
        ("cases.npz", "cases.npz is missing or damaged"),
        ("ensemble.npz", "ensemble.npz is missing or damaged"),
        ("baselines/knn/predictions.npz", "K nearest neighbours: the search"),
    ],
)
def test_a_file_cut_short_costs_its_figures_only(tmp_path: Path, cut: str, message: str) -> None:
    place = make_run(tmp_path / "run", members=2, models=False, baselines=cut.startswith("baselines"))
    damaged = Path(place, cut)
    damaged.write_bytes(damaged.read_bytes()[:100])
    page = drawn(place)
    assert set(SECTIONS) <= set(page.ids)
    assert message in page.visible_text


def test_a_file_that_is_no_model_is_named_and_does_not_stop_the_report(tmp_path: Path) -> None:
    page = drawn(make_run(tmp_path / "run", members=1, models=False))
    assert "model could not be opened: zipfile.BadZipFile" in page.visible_text


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run directory"):
        draw_report(str(tmp_path))


def test_samples_stay_small_and_name_their_rows(complete_run: str) -> None:
    dataset = arrays_of(Path(complete_run, "dataset.npz").read_bytes())
    cases = arrays_of(Path(complete_run, "cases.npz").read_bytes())
    assert dataset["sample_images"].shape == (25, 8, 8) and len(set(dataset["sample_rows"])) == 25
    assert len(cases["rows"]) == len(cases["images"]) and len(cases["test_rows"]) == 24


def test_long_labels_keep_both_ends() -> None:
    assert short("short") == "short"
    assert short("class-with-a-long-name-07", 12) == "class-…me-07"


def test_another_process_draws_the_same_page_without_ray_and_tensorflow(complete_run: str) -> None:
    before = Path(complete_run, "report.html").read_bytes()
    code = (
        "import sys, digits_ray.report\n"
        "assert not {'matplotlib', 'sklearn', 'jinja2'} & set(sys.modules), 'loaded before anything is drawn'\n"
        f"digits_ray.report.draw_report({complete_run!r})\n"
        "assert not {'ray', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Path(complete_run, "report.html").read_bytes() == before
