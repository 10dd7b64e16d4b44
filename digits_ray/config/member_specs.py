"""The members that a configuration asks for: the specification of each one's training."""

import math
from dataclasses import replace

import numpy as np
from pydantic.dataclasses import dataclass

from digits_ray.config.field_types import STRICT
from digits_ray.config.own_network import architecture_of_spec
from digits_ray.config.schema import Config, Recipe, SplitConfig

ALL_ROWS = -3  # fold of a member that trains on all labelled rows, and so scores none: no row is in it


@dataclass(frozen=True, config=STRICT)
class MemberSpec:
    """All that one member's training depends on, beside the rows."""

    member_id: int  # from 0
    architecture: str  # a name of ARCHITECTURES, or FILE.py:FUNCTION@SHA256
    seed: int  # of all that is random in its training; below 2³¹
    fold: int  # rows of this fold are held out; the others are trained on. ALL_ROWS: none is held out
    recipe: Recipe  # how it is trained
    teachers: str = ""  # hash of the members whose probabilities it learns beside the labels; "": labels alone

    @property
    def is_refit(self) -> bool:
        """Whether it is a member's second training, on all labelled rows."""
        return self.fold == ALL_ROWS


def member_specs(config: Config) -> list[MemberSpec]:
    """Spawns the members' seeds from the run's seed; architectures and folds are taken in turn.

    Where both would come round together, e.g. two architectures and ten folds, the next round begins with the next
    architecture, so that in time each is trained on each fold. The first members of a larger ensemble are those of a
    smaller one, so a run can be enlarged later.
    """
    architectures, folds = config.members.architectures, _folds(config.split)
    return [
        MemberSpec(
            member_id=number,
            architecture=architecture_of_spec(architectures[_turn(number, len(architectures), folds)]),
            seed=_member_seed(config, number),
            fold=number % folds,
            recipe=config.members.recipe,
            teachers=config.members.teachers or "",
        )
        for number in range(config.members.count)
    ]


def refit_specs(config: Config) -> list[MemberSpec]:
    """Returns the members' specs once more, for all labelled rows; none where no refit is wanted."""
    return [replace(spec, fold=ALL_ROWS) for spec in member_specs(config)] if config.members.refit_on_all else []


def _turn(number: int, architectures: int, folds: int) -> int:
    """Returns which architecture a member has."""
    rounds = number // math.lcm(architectures, folds)
    return (number + rounds % math.gcd(architectures, folds)) % architectures


def _folds(split: SplitConfig) -> int:
    return split.folds if split.scheme == "kfold" else 1


def _member_seed(config: Config, number: int) -> int:
    """Returns the number-th child of the run's seed (as numpy's SeedSequence.spawn would give it), below 2³¹.

    A distilled network has a child of that one: it begins with the weights of none of its teachers.
    """
    children = (number, 0) if config.members.teachers else (number,)
    return int(np.random.SeedSequence(config.seed, spawn_key=children).generate_state(1)[0] >> 1)
