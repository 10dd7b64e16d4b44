"""The settings of the classical models: what is searched for each, documented as in `schema`."""

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from digits_ray.config.field_types import STRICT, Count

NEIGHBORS = tuple(range(1, 20, 2))  # the notebook's k = 1, 3, …, 19
TREES = (100, 200, 300, 400, 500)  # the notebook's forests

Options = Field(min_length=1)  # one option at least on every axis of a search
BaselineKind = Literal["knn", "tree", "forest"]
BASELINE_KINDS: tuple[BaselineKind, ...] = get_args(BaselineKind)

Counts = Annotated[tuple[Count, ...], Options]
Weights = Annotated[tuple[Literal["uniform", "distance"], ...], Options]
Metrics = Annotated[tuple[Literal["euclidean", "cosine", "manhattan", "chebyshev"], ...], Options]
Dimensions = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Options]
Switches = Annotated[tuple[bool, ...], Options]
Features = Annotated[tuple[Literal["sqrt", "log2"] | Annotated[float, Field(gt=0, le=1)], ...], Options]
Forests = Annotated[tuple[Literal["random_forest", "extra_trees"], ...], Options]


@dataclass(frozen=True, config=STRICT)
class KnnSpace:
    """What is searched for nearest neighbours; one neighbour search scores every k and weighting."""

    n_neighbors: Counts = NEIGHBORS  # values of k
    weights: Weights = ("uniform", "distance")  # weighting of the neighbours' votes
    metric: Metrics = ("euclidean", "cosine")  # distance between images
    deskew: Switches = (True, False)  # whether each image is sheared upright and centred first
    pca: Dimensions = (50, 25, 0)  # dimensions that are kept; 0: the pixels themselves


@dataclass(frozen=True, config=STRICT)
class TreeSpace:
    """What is searched for a single decision tree."""

    deskew: Switches = (True, False)  # whether images are deskewed, as for knn
    min_samples_leaf: Counts = (1,)  # fewest images in a leaf


@dataclass(frozen=True, config=STRICT)
class ForestSpace:
    """What is searched for forests; one that grows is scored at every size, and stopped early if it is poor."""

    trees: Counts = (10, 20, 50, 100, 200)  # sizes at which a growing forest is scored
    kind: Forests = ("extra_trees", "random_forest")  # kinds of forest, as scikit-learn names them
    deskew: Switches = (True, False)  # whether images are deskewed, as for knn
    max_features: Features = ("sqrt", 0.05)  # features that a split considers: a function, or a fraction
    min_samples_leaf: Counts = (1, 2)  # fewest images in a leaf


BaselineSpace = KnnSpace | TreeSpace | ForestSpace
BaselineSpaces = tuple[KnnSpace, TreeSpace, ForestSpace]  # in the order of BASELINE_KINDS

NOTEBOOK_SPACES: BaselineSpaces = (
    KnnSpace(NEIGHBORS, ("uniform",), ("euclidean",), (False,), (0,)),
    TreeSpace((False,), (1,)),
    ForestSpace(TREES, ("random_forest",), (False,), ("sqrt",), (1,)),
)


@dataclass(frozen=True, config=STRICT)
class BaselinesConfig:
    """The classical models that the ensemble is compared with, each searched by Ray Tune."""

    enabled: bool = True  # whether baselines are searched; false: --no-baselines
    space: Literal["default", "notebook"] = "default"  # search space; notebook: exactly the Kaggle notebook's grid
    validation: Annotated[float, Field(gt=0, le=0.5)] = 0.1  # part of the training rows that the search scores on
    knn: KnnSpace = KnnSpace()  # nearest neighbours
    tree: TreeSpace = TreeSpace()  # a decision tree
    forest: ForestSpace = ForestSpace()  # forests

    @model_validator(mode="after")
    def _notebook_space_stays_as_it_is(self) -> "BaselinesConfig":
        own = [kind for kind in BASELINE_KINDS if getattr(self, kind) != type(getattr(self, kind))()]
        if self.space == "notebook" and own:
            raise ValueError(f"space 'notebook' has its own {own[0]} grid. Leave {own[0]} out, or use space: default")
        return self

    def spaces(self) -> BaselineSpaces:
        """Returns the spaces that are searched, in the order of BASELINE_KINDS."""
        return NOTEBOOK_SPACES if self.space == "notebook" else (self.knn, self.tree, self.forest)
