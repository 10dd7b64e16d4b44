"""NumPy archives of images and labels, in one set or several. Nothing is ever unpickled."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from digits_ray.data.error_text import quoted
from digits_ray.data.labels import unless_refused
from digits_ray.data.readers.array_names import ArrayName, recognised
from digits_ray.data.readers.arrays import images_of_array, label_texts_of_array
from digits_ray.data.readers.labels_beside import labels_beside
from digits_ray.data.readers.npz_archive import LAYOUT, Archive, is_archive
from digits_ray.data.readers.parsed_file import ParsedFile
from digits_ray.data.readers.read_settings import ReadSettings
from digits_ray.data.readers.source import Source
from digits_ray.errors import UserError


def is_npz(source: Source) -> bool:
    """Returns whether the file is a zip archive of NumPy arrays, or one array by itself."""
    return not source.is_folder and is_archive(source.head)


def parse_npz(source: Source, labelled: bool, settings: ReadSettings) -> ParsedFile:
    """Reads a NumPy archive; what is to be trained on and what to validate on are labelled rows alike.

    Args:
        source: The file.
        labelled: Whether to read labels, which must then be there, and beside them what is to be labelled.
        settings: `label`, `id`, `groups` and `height` count.

    Raises:
        UserError: Naming the array at fault, and the row where there is one.
    """
    reader = _NpzReader(source, settings)
    return reader.labelled() if labelled else reader.unlabelled()


class _NpzReader:
    def __init__(self, source: Source, settings: ReadSettings) -> None:
        self.source, self.settings = source, settings
        self.archive = Archive(source.name, source.content)
        self.names = self._names()

    def labelled(self) -> ParsedFile:
        """Returns the rows to train on, joined by those to validate on."""
        part = "train" if self._key("images", "train") else ""
        sets = [self._labelled_set(part)]
        if self._key("images", "val"):
            sets.append(self._labelled_set("val"))
        first = sets[0]
        if first.images.shape[1:] != sets[-1].images.shape[1:] or first.pixel_scale != sets[-1].pixel_scale:
            raise UserError(
                f"{self.archive.path}: images to train and to validate on differ in size or scale. "
                "Save them in the same form."
            )
        images = np.concatenate([each.images for each in sets])
        joined = (f"{len(sets[1].images):,} validation rows join the labelled rows",) if sets[1:] else ()
        return replace(
            first,
            images=images,
            label_texts=pa.concat_arrays([each.label_texts for each in sets]),
            notes=tuple(dict.fromkeys(note for each in sets for note in each.notes)) + joined + self._unread_note(),
            groups=self._groups(len(images)),
            test=self._set_to_label("test") if self._key("images", "test") else None,
        )

    def _groups(self, rows: int) -> Any:
        """Returns the groups of all labelled rows, those to validate on last."""
        key = self.settings.groups
        if key is None:
            return None
        if key not in self.archive.keys or key == self.settings.label:
            present = ", ".join(map(quoted, self.archive.keys[:8]))
            raise UserError(
                f"{self.archive.path}: split.groups: no array {quoted(key)} beside the labels, but {present}. Name one "
                "of these."
            )
        return label_texts_of_array(self.archive.path, key, self.archive.read(key), rows, "group")

    def unlabelled(self) -> ParsedFile:
        """Returns the images to label: of the test set, or the only ones there are."""
        part = next((part for part in ("test", "", "val", "train") if self._key("images", part)), "")
        return self._set_to_label(part)

    def _names(self) -> list[ArrayName]:
        """Returns what each array is; the settings `groups`, `label` and `id` win over the names."""
        keys = [key for key in self.archive.keys if key != self.settings.groups]
        names = recognised(keys)
        if len(keys) == 1 and not names:
            names = [ArrayName(keys[0], "images", "")]
        for role, key in (("labels", self.settings.label), ("ids", self.settings.id)):
            if key in keys:
                part = next((name.part for name in recognised([str(key)])), self._main_part(names))
                others = [name for name in names if name.key != key and (name.role, name.part) != (role, part)]
                names = [*others, ArrayName(str(key), role, part)]
        return names

    def _main_part(self, names: list[ArrayName]) -> str:
        return "train" if any(name.role == "images" and name.part == "train" for name in names) else ""

    def _key(self, role: str, part: str) -> str | None:
        """Returns the only array of a role.

        Raises:
            UserError: Several arrays have it.
        """
        keys = [name.key for name in self.names if (name.role, name.part) == (role, part)]
        if len(keys) > 1:
            cure = "Name it: --set data.label=NAME." if role == "labels" else "Save one of them."
            raise UserError(f"{self.archive.path}: arrays {', '.join(map(quoted, keys))} may all be {role}. {cure}")
        return keys[0] if keys else None

    def _set(self, part: str) -> ParsedFile:
        """Returns the images of one set, with their ids."""
        key = self._key("images", part) or self._missing("images", part)
        pixels = images_of_array(self.archive.path, key, self.archive.read(key), self.settings.height)
        ids = self._key("ids", part)
        texts = None
        if ids is not None:
            texts = label_texts_of_array(self.archive.path, ids, self.archive.read(ids), len(pixels.values), "id")
        return ParsedFile(
            images=pixels.values,
            has_labels=self._key("labels", part) is not None,
            ids=texts,
            id_column=ids,
            notes=pixels.notes,
            pixel_scale=pixels.scale,
        )

    def _set_to_label(self, part: str) -> ParsedFile:
        """Returns the images of one set, with their ids, and with their labels where it has any that can be read."""
        images = self._set(part)
        if not images.has_labels and self._labels_beside() is None:
            return images
        labelled, notes = unless_refused(self.archive.path, lambda: self._with_labels(images, part))
        return labelled or replace(images, has_labels=True, notes=images.notes + notes)

    def _labelled_set(self, part: str) -> ParsedFile:
        return self._with_labels(replace(self._set(part), ids=None, id_column=None), part)

    def _with_labels(self, images: ParsedFile, part: str) -> ParsedFile:
        archive, key, notes = self._label_array(part)
        labels = archive.read(key)
        self._refuse_rows_last(part, images.images.shape, labels.shape)
        texts = label_texts_of_array(archive.path, key, labels, len(images.images))
        if labels.size > len(labels):
            notes += (f"array {key!r} has a column for each class; the labels are their numbers from 0",)
        return replace(images, has_labels=True, label_texts=texts, notes=images.notes + notes)

    def _refuse_rows_last(self, part: str, shape: tuple[int, ...], labels: tuple[int, ...]) -> None:
        """Refuses grey images (height, width, rows): MATLAB's order."""
        if len(shape) == 3 and shape[0] == shape[1] != shape[2] and labels[:1] == shape[2:]:
            key = self._key("images", part)
            raise UserError(
                f"{self.archive.path}: array {key!r} has shape {shape} for {labels[0]:,} labels, rows last. "
                f"Save {key}.transpose(2, 0, 1)."
            )

    def _label_array(self, part: str) -> tuple[Archive, str, tuple[str, ...]]:
        """Returns the archive that has the labels, their name in it, and a note where it is another file."""
        key = self._key("labels", part)
        if key is not None:
            return self.archive, key, ()
        beside = self._labels_beside()
        if beside is None:
            return self.archive, self._missing("labels", part), ()
        archive = Archive(beside.name, beside.content, single="labels")
        return archive, archive.keys[0], (f"the labels are from {beside.path.name}",)

    def _labels_beside(self) -> Source | None:
        """Returns the file of labels beside an archive that has images alone."""
        return labels_beside(self.source) if len(self.archive.keys) == 1 else None

    def _missing(self, role: str, part: str) -> str:
        name = f"{part}_{role}" if part else role
        present = ", ".join(map(quoted, self.archive.keys[:8])) or "nothing"
        hint = " Or name it: --set data.label=NAME." if role == "labels" and len(self.archive.keys) > 1 else ""
        raise UserError(f"{self.archive.path}: no array {name!r}, but {present}. Write it with {LAYOUT}.{hint}")

    def _unread_note(self) -> tuple[str, ...]:
        read = {name.key for name in self.names if name.role != "ids"} | {self.settings.groups}
        unread = [key for key in self.archive.keys if key not in read]
        return (f"not read: {', '.join(map(quoted, unread))}",) if unread else ()
