"""The configuration: frozen dataclasses, validated on construction. `loading` reads them from YAML and flags.

The comment on a field's line is its documentation.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from digits_ray.config.baselines_schema import BaselinesConfig
from digits_ray.config.field_types import STRICT, Count, Fraction, Text
from digits_ray.config.own_network import OwnNetwork
from digits_ray.errors import nearest

# Every architecture of training/architectures.py, with the smallest image side, in pixels, that its layers can take.
ARCHITECTURES = {
    "compact": 4, "deotte": 25, "deotte_plain": 4, "deotte_wide": 25, "notebook": 4, "vgg_small": 4,
}  # fmt: skip


@dataclass(frozen=True, config=STRICT | ConfigDict(coerce_numbers_to_str=True))
class DataConfig:
    """The files of images. With no `train`, scikit-learn's own handwritten digits."""

    train: Text | None = None  # labelled images: CSV, Parquet, NumPy, IDX or pictures, by path or URI
    test: Text | None = None  # images to label: CSV, Parquet, NumPy, IDX or pictures; labels in it only score
    holdout: Text | None = None  # labelled images that only score; all rows of `train` then train
    label: Text | None = None  # column or array of labels; null: the one named label, class, target or y
    id: Text | None = None  # column or array of ids; null: the one named id, ImageId or the like
    drop: tuple[Text, ...] = ()  # columns to skip
    height: Count | None = None  # height of an image whose pixels are columns; null: square, or as the names say
    size: Count | tuple[Count, Count] | None = None  # size to scale pictures to: side or height, width; null: unscaled
    grayscale: bool | None = None  # true converts pictures to grey, false to colour; null: unconverted


@dataclass(frozen=True, config=STRICT | ConfigDict(coerce_numbers_to_str=True))
class SplitConfig:
    """How the labelled rows are split into rows that train and rows that score."""

    scheme: Literal["holdout", "kfold", "none"] = "holdout"  # kfold: members that never saw a row score it
    holdout: Annotated[float, Field(gt=0, le=0.5)] = 0.1  # part of the labelled rows that scores, with scheme holdout
    folds: Annotated[int, Field(ge=2)] = 5  # number of folds, with scheme kfold; members take them in turn
    groups: Text | None = None  # column or array of writers, patients, …: rows of each stay on one side

    def conflict_with_holdout(self) -> str:
        """Returns which setting makes no sense where a holdout is given, and the cure; "" where none does."""
        given = "but a holdout is given (data.holdout), whose rows alone score"
        if self.scheme != "holdout":
            return f"split.scheme is {self.scheme}, {given}. Set it to holdout, or leave the holdout out."
        if self.holdout != type(self)().holdout:
            return f"split.holdout is {self.holdout:g}, {given}. Leave either out."
        return ""


def _named_flip(value: object) -> object:
    if value is True:
        return "horizontal"
    return False if value is None or value == "none" else value


# `true` is horizontal, as for most programs that have such a switch.
Flip = Annotated[Literal[False, "horizontal", "vertical", "both"], BeforeValidator(_named_flip)]


@dataclass(frozen=True, config=STRICT)
class Augmentation:
    """Random distortion of training images, drawn anew for every image of every batch. All zero and no flip: none."""

    rotation: Annotated[float, Field(ge=0, le=180)] = 10.0  # largest turn either way, in degrees
    zoom: Fraction = 0.1  # largest change of scale: 0.1 scales by 0.9 … 1.1
    shift: Fraction = 0.1  # largest shift either way, as part of the side
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0  # largest slant of upright lines either way, in degrees
    flip: Flip = False  # mirror half of the images; true: horizontal. Not for digits: a mirrored 5 is none


@dataclass(frozen=True, config=STRICT)
class Recipe:
    """How a member is trained. Besides architecture, seed and fold, its training depends on nothing else."""

    epochs: Count = 20  # passes over the training rows; exact if you set them without min_steps
    min_steps: Annotated[int, Field(ge=0)] = 0  # fewest optimizer steps: small data get more epochs to reach them
    batch_size: Count = 128  # images per optimizer step
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3  # learning rate; with one_cycle, its peak
    schedule: Literal["constant", "exponential", "one_cycle", "plateau"] = "one_cycle"  # course of the learning rate
    decay: Annotated[float, Field(gt=0, le=1)] = 0.95  # factor per epoch (exponential) or per drop (plateau)
    patience: Count = 3  # epochs without progress before a drop (plateau)
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0  # lowest learning rate (plateau)
    validation: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # part of the training rows that plateau watches
    label_smoothing: Fraction = 0.0  # part of a label that is spread over all classes; predictions are corrected
    ema: Fraction = 0.0  # momentum of the moving average of weights, lower in a short training; 0: no average
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the hardware has it
    backend: Literal["tensorflow", "jax"] = "tensorflow"  # backend of Keras; jax needs the extra digits-ray[jax]
    augmentation: Augmentation = Augmentation()  # distortion of the training images

    @model_validator(mode="after")
    def _plateau_watches_validation_rows(self) -> "Recipe":
        if self.schedule == "plateau" and self.validation == 0:
            raise ValueError("schedule 'plateau' watches validation rows. Set validation, e.g. 0.1")
        if self.schedule != "plateau" and self.validation > 0:
            raise ValueError(f"schedule {self.schedule!r} uses no validation rows. Set validation to 0")
        return self


@dataclass(frozen=True, config=STRICT)
class MembersConfig:
    """The ensemble's members."""

    count: Annotated[int, Field(ge=1, le=100_000)] = 10  # number of members; the limit catches typing errors
    min_members: Count = 1  # fewest members: the run fails with fewer
    max_attempts: Count = 3  # attempts at a member before it is given up
    architectures: Annotated[tuple[str, ...], Field(min_length=1)] = ("compact",)  # names or FILE.py:FUNCTION, in turn
    recipe: Recipe = Recipe()  # how each member is trained
    refit_on_all: bool = False  # after scoring, train all members again on all labelled rows, to predict with
    teachers: str | None = None  # hash of the members that a distilled network learns from; set by `distil`

    @model_validator(mode="after")
    def _known_architectures(self) -> "MembersConfig":
        for name in self.architectures:
            if name not in ARCHITECTURES and OwnNetwork.parse(name) is None:
                raise ValueError(f"no architecture {name!r}. {nearest(name, list(ARCHITECTURES))}")
        return self

    @model_validator(mode="after")
    def _enough_members(self) -> "MembersConfig":
        if self.min_members > self.count:
            raise ValueError(f"min_members={self.min_members} is more than count={self.count}. Lower it")
        return self


@dataclass(frozen=True, config=STRICT)
class ResourcesConfig:
    """What a member may use, and on which cluster. Nothing here changes the result."""

    gpus_per_member: Literal["auto"] | Annotated[float, Field(ge=0)] = "auto"  # 0.05 … 1, or 2, 3, …; 0: only CPUs
    cpus_per_member: Literal["auto"] | Count = "auto"  # CPU cores; a member trains with a thread on each
    data_gib_per_member: Literal["auto"] | Annotated[float, Field(ge=0)] = "auto"  # GiB in memory; larger data stream
    address: Text | None = None  # address of a running Ray cluster; null: Ray is started on this machine
    members_per_program: Literal["auto"] | Count = "auto"  # members in one program, a stack, on JAX and GPUs; 1: none
    compilation_cache: bool = True  # whether JAX keeps programs for GPUs in the user's cache folder, at most 2 GiB
    wait_minutes: Annotated[float, Field(ge=0)] = 0  # minutes to wait for nodes that an autoscaler is to start


@dataclass(frozen=True, config=STRICT)
class EnsembleConfig:
    """Which models vote."""

    include_baselines: bool = False  # whether baselines vote beside the members
    baseline_weight: Literal["auto"] | Annotated[float, Field(gt=0)] = "auto"  # weight of each; members together: 1


@dataclass(frozen=True, config=STRICT | ConfigDict(coerce_numbers_to_str=True))
class SubmissionConfig:
    """The names of the two columns in submission.csv and in the output of `predict`."""

    id_column: Text | None = None  # name of the id column; null: the test file's, or ImageId, counted from 1
    label_column: Text | None = None  # name of the label column; null: Label


@dataclass(frozen=True, config=STRICT)
class TrackingConfig:
    """Where else results are logged. Nothing here changes them."""

    mlflow: str | None = None  # MLflow's tracking URI; needs the extra digits-ray[mlflow]


@dataclass(frozen=True, config=STRICT)
class Config:
    """All settings of a run."""

    preset: str | None = None  # preset that the other settings start from: `fast`, unless named; null: the defaults
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0  # seed of everything random; below 2³², as scikit-learn demands
    out: Text | None = None  # run directory: a path, s3:// or gs://; null: runs/<UTC time>
    data: DataConfig = DataConfig()  # the files of images
    split: SplitConfig = SplitConfig()  # which rows train and which score
    members: MembersConfig = MembersConfig()  # the networks
    baselines: BaselinesConfig = BaselinesConfig()  # the classical models
    ensemble: EnsembleConfig = EnsembleConfig()  # which models vote
    submission: SubmissionConfig = SubmissionConfig()  # names of the columns in submission.csv
    resources: ResourcesConfig = ResourcesConfig()  # what a member may use
    tracking: TrackingConfig = TrackingConfig()  # where else results are logged

    @model_validator(mode="after")
    def _weight_from_rows_that_no_one_saw(self) -> "Config":
        vote = self.ensemble
        if vote.include_baselines and not self.baselines.enabled:
            raise ValueError("ensemble.include_baselines needs baselines. Set baselines.enabled to true")
        if vote.include_baselines and vote.baseline_weight == "auto" and self.split.scheme != "kfold":
            raise ValueError(
                "ensemble.baseline_weight 'auto' is chosen on rows that neither members nor baselines were trained on, "
                "the holdout excepted: out-of-fold rows. Set split.scheme to kfold, or give a number, e.g. 0.1"
            )
        return self

    @model_validator(mode="after")
    def _what_can_be_stacked(self) -> "Config":
        recipe, resources = self.members.recipe, self.resources
        stacked = f"resources.members_per_program={resources.members_per_program}"
        if resources.members_per_program in (1, "auto"):
            return self
        if recipe.backend != "jax":
            raise ValueError(f"{stacked} needs JAX. Set members.recipe.backend to jax, or leave it out")
        if recipe.schedule == "plateau":
            raise ValueError(f"{stacked}: each member's plateau has a learning rate of its own. Leave it out")
        if resources.gpus_per_member != "auto" and resources.gpus_per_member > 1:
            raise ValueError(
                f"{stacked}: members of a stack train on one GPU. Set gpus_per_member to 1, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _a_given_holdout_is_all_that_scores(self) -> "Config":
        if self.data.holdout is None:
            return self
        if self.data.train is None:
            raise ValueError("data.holdout (--holdout) needs training images. Give data.train (--train) too")
        if conflict := self.split.conflict_with_holdout():
            raise ValueError(conflict)
        return self

    @model_validator(mode="after")
    def _rows_that_a_refit_adds(self) -> "Config":
        if self.members.refit_on_all and self.split.scheme == "none":
            raise ValueError(
                "members.refit_on_all adds the held-out rows, but with split.scheme 'none' none are held out: every "
                "member trains on all labelled rows already. Leave it out, or set split.scheme to holdout or kfold"
            )
        return self

    @model_validator(mode="after")
    def _one_gpu_on_jax(self) -> "Config":
        gpus = self.resources.gpus_per_member
        if gpus != "auto" and gpus > 1 and self.members.recipe.backend == "jax":
            raise ValueError(
                f"resources.gpus_per_member is {gpus:g}, but a member on JAX trains on one GPU. Give 1 or less, or set "
                "members.recipe.backend to tensorflow"
            )
        return self
