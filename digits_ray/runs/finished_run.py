"""A run that is finished (or has its first members), loaded from its directory."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from digits_ray.data import images_like
from digits_ray.ensemble import labels_of
from digits_ray.errors import UserError
from digits_ray.runs import keras_models
from digits_ray.runs.held_out import HeldOutRows, Votes, read_held_out
from digits_ray.runs.keras_models import import_keras
from digits_ray.runs.networks import give_networks
from digits_ray.runs.run_results import RunResults
from digits_ray.storage import RunDirectory
from digits_ray.training import device

if TYPE_CHECKING:
    from digits_ray.training import EnsembleProgram


def load_run(path: str | Path, architectures: Sequence[str] = ()) -> "Run":
    """Loads a run from its directory.

    Args:
        path: The run's `out`: a path or URI.
        architectures: FILE.py:FUNCTION of networks of your own that have layers of their own: no code is taken from
            the run directory.

    Raises:
        UserError: there is no run, or no member of it is finished; or a network's file is not that of the run.
    """
    run = Run(RunDirectory.existing(str(path)))
    give_networks(run.config, architectures)
    if not run.member_ids and not run.baselines:
        raise UserError(f"{path}: no member is finished yet. Run the same `digits-ray run` command again.")
    return run


class Run(RunResults):
    """An ensemble and its results. Predicting loads Keras into this process."""

    def predict_proba(
        self, images: Any, *, address: str | None = None, on_rows: Callable[[int], None] = lambda rows: None
    ) -> np.ndarray:
        """Returns the soft vote of all finished members.

        Args:
            images: One image or many of the size that was trained on: an array, a list, a tensor or a data frame;
                flat or not; (rows, height, width), (rows, height, width, 1) or, in colour, (rows, height, width, 3).
                Pixels are whole numbers of 0 … 255, or floats of 0 … 1 with a fraction among them. Columns of
                ids, labels and groups of a data frame are left out, and those that `data.drop` names.
            address: Of a running Ray cluster, several processes of which predict; by default this process does.
            on_rows: Called again and again with the number of rows that are predicted so far.

        Returns:
            (rows, classes) float32, rows sum to 1. A row for each image, so that one image gives (1, classes).

        Raises:
            UserError: images of another size or type, a run of baselines alone, or no cluster at the address.
            RunError: the cluster has gone meanwhile.
        """
        return self._mean_proba(self.member_ids, self.check(images), address, on_rows)

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

    def prediction_sets(self, images: Any, level: float) -> np.ndarray:
        """Returns for each image the classes among which its own is, as often as `level` says: conformal prediction.

        What is guaranteed after a holdout, after k folds and after a refit: docs/methodology.md.

        Args:
            images: One image or many, as for `predict_proba`.
            level: Between 0 and 1, e.g. 0.99.

        Returns:
            (rows, classes) bool, in the order of `classes`; the label that `predict` gives is always in the set.

        Raises:
            UserError: as for `predict_proba`; or no rows were held out, or too few for the level.
        """
        self.held_out.check_level(level)
        return self.held_out.prediction_sets(self.votes(images), level)

    def votes(
        self, images: Any, *, address: str | None = None, on_rows: Callable[[int], None] = lambda rows: None
    ) -> Votes:
        """Returns the vote of all members, as `predict_proba` does, and that of each fold's members.

        Args:
            images: One image or many, as for `predict_proba`.
            address: As for `predict_proba`.
            on_rows: As for `predict_proba`.

        Raises:
            UserError: as for `predict_proba`.
        """
        members_of: dict[int, list[int]] = {}  # by fold
        for spec in self._specs:
            members_of.setdefault(spec.fold, []).append(spec.member_id)
        if len(members_of) <= 1 or self.refitted:
            proba = self.predict_proba(images, address=address, on_rows=on_rows)
            return Votes(proba, proba[np.newaxis])
        checked, folds = self.check(images), sorted(members_of)

        def votes_of(position: int) -> np.ndarray:
            def on_rows_of_fold(rows: int) -> None:
                on_rows((position * len(checked) + rows) // len(folds))

            return self._mean_proba(members_of[folds[position]], checked, address, on_rows_of_fold)

        of_folds = np.stack([votes_of(position) for position in range(len(folds))])
        proba = np.average(of_folds, axis=0, weights=[len(members_of[fold]) for fold in folds])
        return Votes(proba.astype(np.float32), of_folds)

    @cached_property
    def held_out(self) -> HeldOutRows:
        """The rows that members never saw, as they predict them.

        Raises:
            UserError: no rows were held out, or a file is missing or damaged.
        """
        self.check_members()
        return read_held_out(self._directory, self._specs, by_those_that_predict=not self.refitted)

    def check(self, images: Any) -> np.ndarray:
        """Refuses images that the members cannot take, before Keras is loaded.

        Args:
            images: One image or many, as for `predict_proba`.

        Returns:
            (rows, height, width) uint8, or (rows, height, width, 3) where the run was trained on colour.

        Raises:
            UserError: there is no member, no image, or they are of another size or type than was trained on.
        """
        self.check_members()
        checked = images_like(images, self.image_shape, self._columns_without_pixels)
        if len(checked) == 0:
            raise UserError("no images: there is nothing to predict.")
        return checked

    def _mean_proba(
        self, member_ids: list[int], images: np.ndarray, address: str | None, on_rows: Callable[[int], None]
    ) -> np.ndarray:
        """Returns the soft vote of some members, (rows, classes) float32; `images` is what `check` returns."""
        if address is None:
            program = self.program if member_ids == self.member_ids else self.program_of(member_ids)
            return program.mean_proba(images, on_rows)
        from digits_ray.scheduling import predict_on_cluster

        backend = device.installed_backend(self.config.members.recipe.backend)
        return predict_on_cluster(self.model_files(member_ids), backend, images, address, on_rows)

    def model(self, member_id: int) -> Any:
        """Returns the network that a finished member votes with, a `keras.Model` of raw uint8 images. Loads Keras.

        Raises:
            UserError: the member is not finished.
        """
        if member_id not in self.member_ids:
            raise UserError(f"{self.path}: member {member_id} is not finished.")
        import_keras(self.config.members.recipe.backend)
        from digits_ray.training import load_model

        return load_model(self._model_file(member_id))

    def feature_maps(self, image: Any, member_id: int = 0) -> dict[str, np.ndarray]:
        """Returns what each layer of a member's network makes of an image.

        Args:
            image: One image, as for `predict_proba`.
            member_id: The member.

        Returns:
            (height, width, channels) float32 by the layer's name, in order, for layers whose output has these.

        Raises:
            UserError: the member is not finished, or the image is of another size.
        """
        return keras_models.feature_maps(self.model(member_id), self.check(image)[0])

    def model_files(self, member_ids: Sequence[int] | None = None) -> tuple[bytes, ...]:
        """Returns the .keras archives of the networks that predict.

        Args:
            member_ids: The finished members that are wanted, all by default.

        Raises:
            UserError: one is missing or damaged.
        """
        return tuple(map(self._model_file, self.member_ids if member_ids is None else member_ids))

    @cached_property
    def program(self) -> "EnsembleProgram":
        """All finished members as one compiled program, in this process."""
        return self.program_of(self.member_ids)

    def program_of(self, member_ids: Sequence[int]) -> "EnsembleProgram":
        """Returns some finished members as one compiled program, in this process. Loads Keras.

        Raises:
            UserError: a member's file is missing or damaged.
        """
        return keras_models.build_program(self.model_files(member_ids), self.config.members.recipe.backend)

    @cached_property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width) of an image in pixels, or (height, width, 3) in colour."""
        data = self._directory.data()
        size = (data["height"], data["width"])
        return size if data["channels"] == 1 else (*size, data["channels"])

    @property
    def _columns_without_pixels(self) -> list[str]:
        """The columns that the settings name, which data frames to predict may have too."""
        data = self.config.data
        return [name for name in (data.label, data.id, self.config.split.groups, *data.drop) if name]

    def _model_file(self, member_id: int) -> bytes:
        """Returns the .keras archive of the network that votes for a member: that which wrote the submission."""
        files = self._directory.refits if member_id in self.refitted else self._directory.members
        return files.intact_model_file(member_id)
