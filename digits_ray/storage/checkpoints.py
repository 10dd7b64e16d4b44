"""The saved epochs of unfinished members."""

from collections.abc import Iterator
from dataclasses import dataclass

from digits_ray.storage import layout
from digits_ray.storage.file_formats import is_intact_archive
from digits_ray.storage.layout import SavedEpochFile
from digits_ray.storage.store import Store

SAVE_RETRY_SECONDS = 5.0  # losing a saved epoch costs an epoch at most, waiting for the storage costs a device


@dataclass(frozen=True)
class SavedEpochs:
    """The saved epochs of one unfinished fit: reads those of every attempt, writes only its own attempt's."""

    store: Store  # the run directory
    member_id: int
    attempt: str  # see `layout.attempt_name`: a half-dead predecessor must not overwrite its successor's
    refit: bool = False  # whether the fit is the member's refit

    def candidates(self, last_epoch: int | None = None) -> Iterator[bytes]:
        """Yields saved states, the latest epoch first; unreadable ones are passed over.

        Args:
            last_epoch: After which none is of interest; None: all are.
        """
        for file in self._files():
            if last_epoch is not None and file.epoch > last_epoch:
                continue
            data = self.store.read(file.name)
            if is_intact_archive(data):
                yield data

    def latest_epoch(self) -> int:
        """Returns the latest epoch that is saved, by the files' names; 0 where none is."""
        return max((file.epoch for file in self._files()), default=0)

    def _files(self) -> list[SavedEpochFile]:
        """Returns the files of all attempts, the latest epoch first."""
        names = self.store.names(layout.attempts_folder(self.member_id, refit=self.refit))
        files = [file for name in names if (file := SavedEpochFile.parse(name))]
        return sorted(files, key=lambda file: (file.epoch, file.name), reverse=True)

    def save(self, epoch: int, state: bytes) -> None:
        """Saves the state after `epoch` epochs, then drops this attempt's state before last."""
        self.store.write(self._name(epoch), state, SAVE_RETRY_SECONDS)
        self.store.delete(self._name(epoch - 2), SAVE_RETRY_SECONDS)

    def _name(self, epoch: int) -> str:
        return SavedEpochFile(self.member_id, self.attempt, epoch, self.refit).name
