"""Configurations: precedence, refusal, and the way back to YAML."""

from dataclasses import replace
from pathlib import Path

import pytest

from digits_ray.config import ARCHITECTURES, Config, loading, member_specs
from digits_ray.config.nested import merged
from digits_ray.config.preset import Preset, preset_of_0_1_0, preset_yaml, presets
from digits_ray.config.serialization import config_from_dict, config_to_dict, config_to_yaml
from digits_ray.errors import UserError
from digits_ray.training import architectures

PRESETS_PAGE = Path(__file__).parents[3] / "docs" / "presets.md"


def test_set_beats_flags_beat_the_file_beats_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("members: {count: 3, recipe: {epochs: 4, batch_size: 8}}\nseed: 5\n")
    flags = {"members.recipe.epochs": 6, "seed": None}
    config = loading.load_config("notebook", str(file), flags, ["members.recipe.batch_size=9"])
    recipe = config.members.recipe
    assert (recipe.schedule, config.members.count, recipe.epochs, recipe.batch_size) == ("plateau", 3, 6, 9)
    assert config.seed == 5


def test_the_preset_may_stand_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("preset: notebook\n")
    assert loading.load_config(file=str(file)).members.architectures == ("notebook",)
    assert loading.load_config("smoke", str(file)).preset == "smoke"


def test_settings_that_start_from_no_preset_name_none_and_survive_yaml(tmp_path: Path) -> None:
    file = tmp_path / "again.yaml"
    file.write_text(config_to_yaml(Config()))
    assert loading.load_config(file=str(file)) == Config()
    assert loading.load_config(settings=["preset=null"]) == Config()
    assert Config().preset is None


def test_a_preset_among_the_flags_is_used_and_not_only_named() -> None:
    assert loading.load_config(flags={"preset": "smoke"}) == loading.load_config("smoke")


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_valid_and_survives_yaml(name: str, tmp_path: Path) -> None:
    config = loading.load_config(name)
    file = tmp_path / "again.yaml"
    file.write_text(config_to_yaml(config))
    assert loading.load_config(file=str(file)) == config


@pytest.mark.parametrize("preset", presets().values(), ids=list(presets()))
def test_every_preset_tells_what_was_measured_and_its_page_how_often(preset: Preset) -> None:
    assert list(preset.about) == ["for", "2 cores", "one H100", "accuracy"]
    (name,) = [name for name, known in presets().items() if known == preset]
    (row,) = [line for line in PRESETS_PAGE.read_text(encoding="utf8").splitlines() if line.startswith(f"| `{name}` |")]
    for fact, cell in zip(("2 cores", "one H100", "accuracy"), row.strip("| ").split(" | ")[1:], strict=True):
        assert preset.about[fact] == "–" or (preset.about[fact] in cell and "n = " in cell)


@pytest.mark.parametrize("name", presets())
def test_the_average_of_weights_has_left_their_start_behind_at_the_end(name: str) -> None:
    for train in ("train.csv", None):
        recipe = loading.load_config(name, flags={"data.train": train}).members.recipe
        steps = max(recipe.min_steps, recipe.epochs * (1_293 // recipe.batch_size))
        assert recipe.ema**steps < 0.01


def test_the_default_preset_has_ten_members() -> None:
    assert loading.load_config().preset == "fast"
    assert loading.load_config().members.count == 10


def test_the_built_in_digits_have_a_recipe_of_their_own_and_files_have_that_of_0_1_0() -> None:
    built_in, files = loading.load_config("fast"), loading.load_config("fast", flags={"data.train": "train.csv"})
    assert built_in.members.architectures == ("compact",)
    assert built_in.members.count == files.members.count == 10
    before = preset_of_0_1_0("fast")
    assert before is not None
    now = config_to_dict(files)
    assert merged(now, {group: before[group] for group in ("members", "baselines")}) == now


@pytest.mark.parametrize("given", ["flag", "setting", "group", "file"])
def test_a_training_file_means_the_recipe_for_files_wherever_it_is_named(given: str, tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("data: {train: train.csv}\n")
    config = {
        "flag": lambda: loading.load_config(flags={"data.train": "train.csv"}),
        "setting": lambda: loading.load_config(settings=["data.train=train.csv"]),
        "group": lambda: loading.load_config(settings=["data={train: train.csv}"]),
        "file": lambda: loading.load_config(file=str(file)),
    }[given]()
    assert config.members.architectures == ("deotte_plain",)


def test_arrays_mean_the_recipe_for_files_too() -> None:
    files = loading.load_config("fast", flags={"data.train": "train.csv"})
    arrays = loading.load_config("fast", arrays=True)
    assert arrays.members == files.members
    assert arrays.data.train is None


def test_what_the_user_sets_beats_the_recipe_of_the_built_in_digits(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("members: {architectures: [notebook]}\n")
    config = loading.load_config("fast", str(file), {"members.recipe.epochs": 3}, ["members.recipe.learning_rate=0.5"])
    recipe, usual = config.members.recipe, loading.load_config("fast").members.recipe
    assert (config.members.architectures, recipe.epochs, recipe.learning_rate) == (("notebook",), 3, 0.5)
    assert recipe.batch_size == usual.batch_size


EPOCHS_IN = {
    "a flag": lambda file: loading.load_config(flags={TRAIN: "t.csv", EPOCHS: 2}),
    "a setting": lambda file: loading.load_config(flags={TRAIN: "t.csv"}, settings=[f"{EPOCHS}=2"]),
    "a group": lambda file: loading.load_config(flags={TRAIN: "t.csv", "members": {"recipe": {"epochs": 2}}}),
    "a file": lambda file: loading.load_config(file=file, flags={TRAIN: "t.csv"}),
}
TRAIN, EPOCHS, MIN_STEPS = "data.train", "members.recipe.epochs", "members.recipe.min_steps"


@pytest.mark.parametrize("given_in", EPOCHS_IN)
def test_epochs_that_are_set_are_exact_wherever_they_are_set(given_in: str, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("members: {recipe: {epochs: 2}}\n")
    recipe = EPOCHS_IN[given_in](str(tmp_path / "my.yaml")).members.recipe
    assert (recipe.epochs, recipe.min_steps) == (2, 0)


def test_min_steps_beside_the_epochs_count_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("members: {recipe: {epochs: 3, min_steps: 500}}\n")
    file = str(tmp_path / "my.yaml")
    given = [
        loading.load_config(file=file),
        loading.load_config(settings=[f"{MIN_STEPS}=500", f"{EPOCHS}=3"]),
        loading.load_config(flags={EPOCHS: 3}, settings=[f"{MIN_STEPS}=500"]),
        loading.load_config(flags={MIN_STEPS: 500}, settings=[f"{EPOCHS}=3"]),
    ]
    assert {(config.members.recipe.epochs, config.members.recipe.min_steps) for config in given} == {(3, 500)}


def test_epochs_given_over_a_file_with_min_steps_are_exact_too(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(preset_yaml("fast"))
    config = loading.load_config(file=str(tmp_path / "my.yaml"), flags={EPOCHS: 2})
    assert (config.members.recipe.epochs, config.members.recipe.min_steps) == (2, 0)


def test_a_recipe_without_epochs_of_the_user_has_the_preset_s_min_steps() -> None:
    config = loading.load_config(flags={TRAIN: "t.csv", "members.recipe.batch_size": 64})
    assert (config.members.recipe.epochs, config.members.recipe.min_steps) == (12, 240)


def test_settings_that_a_run_directory_has_recorded_load_to_the_same_recipe(tmp_path: Path) -> None:
    for name in presets():
        config = loading.load_config(name, flags={TRAIN: "t.csv"})
        (tmp_path / "config.yaml").write_text(config_to_yaml(config))
        assert loading.load_config(file=str(tmp_path / "config.yaml")) == config


def test_a_preset_that_is_printed_is_for_files_and_says_what_the_built_in_digits_get(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(preset_yaml("fast"))
    assert "# {members: {architectures: [compact]" in preset_yaml("fast")
    assert loading.load_config(file=str(tmp_path / "my.yaml")).members.architectures == ("deotte_plain",)
    assert not preset_yaml("notebook").startswith("#")


REFUSED = [
    (["members.recipe.batchsize=3"], "members.recipe.batchsize", "Did you mean 'batch_size'?"),
    (["memers.count=2"], "memers", "Did you mean 'members'?"),
    (["members.architectures=[deote]"], "deote", "Did you mean 'deotte'?"),
    (["members.count=0"], "--members", "greater than or equal to 1"),
    (["members.count=1000000000"], "--members", "less than or equal to 100000"),
    (["members.count=2.5"], "--members", "whole number"),
    (["members.min_members=11"], "min_members=11", "count=10"),
    (["members=3"], "members=3", "a group of settings"),
    (["members.architectures=notebook"], "members.architectures='notebook'", "a list"),
    (["members.architectures=[]"], "members.architectures=[]", "not be empty"),
    (["baselines.knn.metric=[hamming]"], "baselines.knn.metric.0='hamming'", "'cosine'"),
    (["data.train=''"], "--train", "not be empty"),
    (["out=''"], "--out", "not be empty"),
    (["seed=4294967296"], "--seed", "less than 4294967296"),
    (["1=2"], "unknown setting '1'", "Valid: preset"),
    (["members.count.more=3"], "members.count.more", "'count' is a value"),
    (["split.scheme=fold"], "split.scheme", "'kfold'"),
    (["split.holdout=0.9"], "split.holdout=0.9", "less than or equal to 0.5"),
    (["resources.gpus_per_member=some"], "--gpus-per-member", "'auto'"),
    (["members.recipe.learning_rate=.inf"], "members.recipe.learning_rate", "finite"),
    (["members.recipe.schedule=plateau"], "plateau", "validation"),
    (["members.recipe.validation=0.1"], "one_cycle", "validation"),
    (["split.scheme=no"], "split.scheme=false", "'none'"),
    (["members.recipe=null"], "members.recipe=null", "a group of settings"),
    (["seed=2026-01-01"], "(seed)=2026-01-01", "whole number"),
    (["data.size=[8]"], "data.size=[8]", "two values, e.g. [28, 28]"),
    (["data.size=[8, 8, 8]"], "data.size=[8, 8, 8]", "two values, e.g. [28, 28]"),
    (["seed"], "--set seed", "key.path=value"),
    (["seed=[1"], "--set seed=[1", "YAML"),
]


@pytest.mark.parametrize(("given", "cause", "cure"), REFUSED, ids=[case[0][0] for case in REFUSED])
def test_a_wrong_setting_is_refused_in_one_line_with_cause_and_cure(given: list[str], cause: str, cure: str) -> None:
    with pytest.raises(UserError) as refusal:
        loading.load_config(settings=given)
    message = str(refusal.value)
    assert cause in message
    assert cure in message
    assert "\n" not in message


@pytest.mark.parametrize("values", [{1: 2}, {None: 2}])
def test_a_key_that_is_no_name_is_refused(values: dict) -> None:
    with pytest.raises(UserError, match="unknown setting"):
        config_from_dict(values)


def test_a_preset_that_is_set_is_used_and_not_only_named() -> None:
    assert loading.load_config("smoke", settings=["preset=notebook"]) == loading.load_config("notebook")


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UserError, match="Did you mean 'notebook'"):
        loading.load_config("notbook")


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\xff"])
def test_a_file_that_holds_no_settings_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"bad\.yaml"):
        loading.load_config(file=str(file))


def test_a_missing_settings_file_is_refused() -> None:
    with pytest.raises(UserError, match=r"--config nowhere\.yaml"):
        loading.load_config(file="nowhere.yaml")


def test_a_larger_ensemble_begins_with_the_members_of_the_smaller_one() -> None:
    small, large = loading.load_config(flags={"members.count": 3}), loading.load_config(flags={"members.count": 30})
    assert member_specs(large)[:3] == member_specs(small)


def test_members_differ_by_seed_and_take_architectures_and_folds_in_turn() -> None:
    config = loading.load_config(
        settings=["members.architectures=[compact, deotte]", "split.scheme=kfold", "split.folds=3"]
    )
    specs = member_specs(config)
    assert len({spec.seed for spec in specs}) == 10
    assert [spec.architecture for spec in specs[:3]] == ["compact", "deotte", "compact"]
    assert [spec.fold for spec in specs[:4]] == [0, 1, 2, 0]


@pytest.mark.parametrize(("kinds", "folds"), [(2, 10), (3, 10), (4, 6), (6, 4), (3, 3), (1, 5)])
def test_in_time_each_architecture_is_trained_on_each_fold(kinds: int, folds: int) -> None:
    names = ", ".join(list(ARCHITECTURES)[:kinds])
    settings = [f"members.architectures=[{names}]", "split.scheme=kfold", f"split.folds={folds}"]
    config = loading.load_config(flags={"members.count": 2 * kinds * folds}, settings=settings)
    trained = [(spec.architecture, spec.fold) for spec in member_specs(config)]
    assert len(set(trained[: kinds * folds])) == len(set(trained[kinds * folds :])) == kinds * folds


def test_members_of_one_round_are_those_of_0_1_0_and_so_are_all_where_each_round_differs_anyway() -> None:
    for folds, same in ((10, 10), (5, 30)):
        settings = ["members.architectures=[compact, deotte]", "split.scheme=kfold", f"split.folds={folds}"]
        specs = member_specs(loading.load_config(flags={"members.count": 30}, settings=settings))
        before = [("compact", "deotte")[number % 2] for number in range(30)]
        assert [spec.architecture for spec in specs[:same]] == before[:same]


def test_best_trains_each_of_two_kinds_on_each_of_ten_folds() -> None:
    config = loading.load_config("best", flags={"data.train": "train.csv"})
    specs = member_specs(config)
    assert len({(spec.architecture, spec.fold) for spec in specs}) == len(specs) == 20
    assert config.members.recipe == replace(
        loading.load_config("strong", flags={"data.train": "train.csv"}).members.recipe, epochs=90
    )


def test_a_refit_is_asked_for_by_its_flag_and_refused_where_no_row_is_held_out() -> None:
    flags = {"members.refit_on_all": True}
    assert loading.load_config(flags=flags).members.refit_on_all
    assert not loading.load_config().members.refit_on_all
    with pytest.raises(UserError, match=r"'none' none are held out: every member trains on all labelled rows already"):
        loading.load_config(flags=flags, settings=["split.scheme=none"])


def test_the_configuration_knows_every_architecture() -> None:
    assert set(ARCHITECTURES) == set(architectures.BUILDERS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_file_is_read_as_editors_and_shells_of_any_system_write_it(
    encoding: str, line_end: str, tmp_path: Path
) -> None:
    (tmp_path / "run.yaml").write_bytes(f"# Größe{line_end}seed: 5{line_end}".encode(encoding))
    assert loading.load_config(file=f"file://{tmp_path}/run.yaml").seed == 5


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("# Größe\nseed: 5\n".encode("latin-1"), r"is no valid UTF-8\. Save it as UTF-8\."),
        ("seed: 5\n".encode("utf-16")[:-1], r"is no valid UTF-16-LE\. Save it as UTF-8\."),
        (b"\x80seed", r"is no valid UTF-8\."),
        (b"seed: 5\n# \a\n", r"line 2 holds '\\x07', which YAML does not allow\. Remove it\."),
        (b"seed: 5\nout: \0\n", r"line 2 holds '\\x00', which YAML does not allow\."),
    ],
)
def test_what_is_no_text_of_yaml_is_told_as_what_it_is(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes(content)
    with pytest.raises(UserError, match=words):
        loading.load_config(file=str(tmp_path / "run.yaml"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "members:\n\tcount: 2",
            r"line 2: cannot be read as YAML \(.*found character '\\t' that cannot start any token\)",
        ),
        (
            "seed: 1\n---\nseed: 2",
            r"line 2: cannot be read as YAML \(expected a single document .*but found another document\)",
        ),
        ("seed: !!python/name:os.system", r"line 1: cannot be read as YAML \(could not determine a constructor"),
    ],
)
def test_what_keeps_a_file_from_being_settings_is_told(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        loading.load_config(file=str(tmp_path / "run.yaml"))


def test_a_file_on_remote_storage_is_read_with_what_reads_there() -> None:
    stored = {"s3://bucket/run.yaml": b"seed: 5"}
    assert loading.load_config(file="s3://bucket/run.yaml", read_remote=stored.__getitem__).seed == 5


@pytest.mark.parametrize(
    ("written", "flip"),
    [("true", "horizontal"), ("false", False), ("none", False), ("null", False), ("off", False), ("both", "both")],
)
def test_a_flip_is_a_switch_or_a_direction(written: str, flip: object) -> None:
    config = loading.load_config(settings=[f"members.recipe.augmentation.flip={written}"])
    assert config.members.recipe.augmentation.flip == flip
    assert config_from_dict(config_to_dict(config)) == config


def test_an_unknown_flip_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"members.recipe.augmentation.flip='left': .*'horizontal'"):
        loading.load_config(settings=["members.recipe.augmentation.flip=left"])
