"""A run that is finished (or has its first members), loaded from its directory."""

import json
import os
import sys
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from digits_ray.config import Config, member_specs
from digits_ray.data import images_like
from digits_ray.ensemble import labels_of
from digits_ray.errors import UserError
from digits_ray.storage import RunDirectory, layout
from digits_ray.training import device

if TYPE_CHECKING:
    from digits_ray.training import EnsembleProgram


def load_run(path: str | Path) -> "Run":
    """Loads a run from its directory.

    Args:
        path: The run's `out`: a path or URI.

    Raises:
        UserError: there is no run, or no member of it is finished.
    """
    run = Run(RunDirectory.existing(str(path)))
    if not run.member_ids and not run.baselines:
        raise UserError(f"{path}: no member is finished yet. Run the same `digits-ray run` command again.")
    return run


class Run:
    """An ensemble and its results. Predicting loads Keras into this process."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory

    @property
    def path(self) -> str:
        """The run directory's path or URI."""
        return self._directory.store.uri

    @property
    def place(self) -> str:
        """The name that `path` had before 0.2; gone in 0.3."""
        warnings.warn("Run.place is now Run.path", DeprecationWarning, stacklevel=2)
        return self.path

    @cached_property
    def config(self) -> Config:
        """The configuration it was made with."""
        return self._directory.config()

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds."""
        return self._directory.read_json(layout.METRICS) or {}

    @cached_property
    def classes(self) -> tuple[str | int, ...]:
        """The labels, in the order of the probabilities' columns."""
        return tuple(self._directory.data()["classes"])

    @cached_property
    def pixel_scale(self) -> Literal[1, 255] | None:
        """The greatest value that a pixel could have in the training file; None where its format says what white is."""
        facts = self._directory.read_arrays(layout.DATASET)
        return json.loads(str(facts["facts"])).get("pixel_scale") if facts else None

    @cached_property
    def member_ids(self) -> list[int]:
        """The finished members, by id."""
        return [spec.member_id for spec in member_specs(self.config) if self._directory.members.result(spec)]

    @cached_property
    def baselines(self) -> list[str]:
        """The finished baselines: "knn", "tree", "forest"."""
        baselines = self.metrics.get("baselines", {})
        return [kind for kind, baseline in baselines.items() if baseline["status"] == "done"]

    def predict_proba(
        self, images: Any, *, address: str | None = None, on_rows: Callable[[int], None] = lambda rows: None
    ) -> np.ndarray:
        """Returns the soft vote of all finished members.

        Args:
            images: One image or many of the size that was trained on: an array, a list, a tensor or a data frame;
                flat or not; (rows, height, width), (rows, height, width, 1) or, in colour, (rows, height, width, 3).
                Pixels are whole numbers of 0 … 255, or floats of 0 … 1 with a fraction among them. Columns `id` and
                `label` of a data frame are left out.
            address: Of a running Ray cluster, several processes of which predict; by default this process does.
            on_rows: Called again and again with the number of rows that are predicted so far.

        Returns:
            (rows, classes) float32, rows sum to 1. A row for each image, so that one image gives (1, classes).

        Raises:
            UserError: images of another size or type, a run of baselines alone, or no cluster at the address.
            RunError: the cluster has gone meanwhile.
        """
        checked = self.check(images)
        if address is None:
            return self.program.mean_proba(checked, on_rows)
        from digits_ray.scheduling import predict_on_cluster

        return predict_on_cluster(self._archives(), self._backend, checked, address, on_rows)

    def predict(
        self, images: Any, *, address: str | None = None, on_rows: Callable[[int], None] = lambda rows: None
    ) -> list[str | int]:
        """Returns the label of each image, as the training data had it; a tie goes to the lowest class.

        Args:
            images: One image or many, as for `predict_proba`.
            address: As for `predict_proba`.
            on_rows: As for `predict_proba`.

        Returns:
            A label for each image, an integer or a string: a list also for one image, as scikit-learn and Keras
            predict rows. `predict(image)[0]` is the label of one.

        Raises:
            UserError: as for `predict_proba`.
        """
        return labels_of(self.predict_proba(images, address=address, on_rows=on_rows), self.classes)

    def check(self, images: Any) -> np.ndarray:
        """Refuses images that the members cannot take, before Keras is loaded.

        Args:
            images: One image or many, as for `predict_proba`.

        Returns:
            (rows, height, width) uint8, or (rows, height, width, 3) where the run was trained on colour.

        Raises:
            UserError: there is no member, no image, or they are of another size or type than was trained on.
        """
        if not self.member_ids:
            raise UserError(f"{self.path}: baselines alone, no member to predict with. Run `digits-ray run` on it.")
        checked = images_like(images, self._image_shape)
        if len(checked) == 0:
            raise UserError("no images: there is nothing to predict.")
        return checked

    @cached_property
    def _image_shape(self) -> tuple[int, ...]:
        data = self._directory.data()
        size = (data["height"], data["width"])
        return size if data["channels"] == 1 else (*size, data["channels"])

    @cached_property
    def program(self) -> "EnsembleProgram":
        """All finished members as one compiled program, in this process."""
        archives = self._archives()
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no messages of TensorFlow's start
        if "keras" not in sys.modules:  # else its backend can no longer be chosen, and any predicts alike
            with device.pin_keras(self._backend):
                import keras  # noqa: F401
        from digits_ray.training import build_program, load_model

        return build_program([load_model(archive) for archive in archives])

    @property
    def _backend(self) -> str:
        return device.installed_backend(self.config.members.recipe.backend)

    def _archives(self) -> list[bytes]:
        return [self._directory.members.intact_model_file(member_id) for member_id in self.member_ids]
