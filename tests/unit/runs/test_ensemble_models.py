"""The models of an ensemble, apart from its run directory."""

import pickle
import threading

import pytest

from digits_ray.runs import EnsembleModels
from digits_ray.training.network_files import NetworkFile, registered_network


def test_models_pickle_as_their_archives_whatever_keras_has_made_of_them() -> None:
    models = EnsembleModels([b"first", b"second"], "jax", [NetworkFile("nets.py", b"layers = 1")])
    vars(models)["_program"] = [threading.Lock()]  # as little to be pickled as a program is
    again = pickle.loads(pickle.dumps(models))
    assert (again.archives, again.backend) == ((b"first", b"second"), "jax")
    assert again.networks == (NetworkFile("nets.py", b"layers = 1"),)
    assert "_program" not in vars(again)


def test_the_layers_of_own_networks_are_known_where_the_models_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    file = NetworkFile("nets.py", b"layers = 2")
    monkeypatch.setattr(
        "digits_ray.runs.ensemble_models.build_program", lambda archives, backend: registered_network(file.key)
    )
    assert EnsembleModels([], "jax", [file])._program == file
