"""Members on the JAX backend: the same fit, in actors of their own, beside a driver that has TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import rows_of, spec_of
from training import REAL, train

from digits_ray.ensemble.predictions import MemberResult

pytestmark = pytest.mark.slow
pytest.importorskip("jax")

MEMBER_TESTS = str(Path(__file__).parent.parent / "unit/training/test_fit.py")


def test_a_member_trained_on_jax_opens_in_keras_on_tensorflow_and_votes_the_same(
    ray_here: None, tmp_path: Path
) -> None:
    import keras

    result = train([spec_of(backend="jax", precision="float32")], tmp_path, prepare_fit=REAL)[0]
    assert isinstance(result, MemberResult)
    (tmp_path / "model.keras").write_bytes(result.model_file)
    model = keras.saving.load_model(tmp_path / "model.keras")
    rows = rows_of()
    assert keras.backend.backend() == "tensorflow"
    proba = model.predict(rows.images[rows.test_index()], verbose=0)
    assert np.allclose(proba, result.prediction.test_proba, atol=1e-4)


def test_what_holds_for_a_member_holds_on_jax() -> None:
    """It learns, resumes bit for bit, averages weights, and gives up a loss that is no number."""
    wanted = "learns or (bit_for_bit and 2 and one_cycle) or averaged or no_number or bfloat16_members"
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", MEMBER_TESTS, "-k", wanted]
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
