"""The models of an ensemble, apart from its run directory."""

import pickle
import threading

from digits_ray.runs import EnsembleModels


def test_models_pickle_as_their_archives_whatever_keras_has_made_of_them() -> None:
    models = EnsembleModels([b"first", b"second"], "jax")
    vars(models)["_program"] = [threading.Lock()]  # as little to be pickled as a program is
    again = pickle.loads(pickle.dumps(models))
    assert (again.archives, again.backend) == ((b"first", b"second"), "jax")
    assert "_program" not in vars(again)
