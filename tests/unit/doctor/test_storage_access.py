"""Whether a node's process can use the run directory, tried without a cluster."""

from pathlib import Path

from digits_ray.doctor.node_probe import _storage_access
from digits_ray.doctor.node_reports import StorageAccess
from digits_ray.storage import RunDirectory, Store

MARK = b"what the driver has written"


def test_a_node_that_sees_the_drivers_folder_writes_there(tmp_path: Path) -> None:
    folder = Store.at(str(tmp_path))
    probe = RunDirectory(folder).write_probe()
    assert _storage_access(folder, "node", probe) == (StorageAccess.SHARED, "")
    assert (tmp_path / "node").read_bytes() == probe


def test_a_node_with_a_disk_of_its_own_creates_nothing_there(tmp_path: Path) -> None:
    assert _storage_access(Store.at(str(tmp_path / "run")), "node", MARK) == (StorageAccess.SEPARATE, "")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_the_driver_cannot_write_is_not_tried() -> None:
    assert _storage_access(None, "node", MARK) == (StorageAccess.UNTESTED, "")


def test_a_write_that_fails_is_reported_with_its_error(tmp_path: Path) -> None:
    folder = Store.at(str(tmp_path))
    probe = RunDirectory(folder).write_probe()
    (tmp_path / "node").mkdir()
    access, error = _storage_access(folder, "node", probe)
    assert access is StorageAccess.FAILED
    assert "node" in error
