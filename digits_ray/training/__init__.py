"""One member, from its first weights to its predictions: a plain function that knows no Ray."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.training.augmentation import RandomAffine
    from digits_ray.training.compiled import compiled_step
    from digits_ray.training.device import DeviceResources
    from digits_ray.training.ensemble_program import EnsembleProgram, build_program
    from digits_ray.training.fit import fit_member
    from digits_ray.training.model_file import is_in_float32, load_float32_model, load_model
    from digits_ray.training.numbers_version import latest_state

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "augmentation": ["RandomAffine"],
        "compiled": ["compiled_step"],
        "device": ["DeviceResources"],
        "ensemble_program": ["EnsembleProgram", "build_program"],
        "fit": ["fit_member"],
        "model_file": ["is_in_float32", "load_float32_model", "load_model"],
        "numbers_version": ["latest_state"],
    },
)
