"""A run in other tools: MLflow, Ray's metrics, TensorBoard."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.tracking.mlflow import MlflowTracking, check_tracking
    from digits_ray.tracking.ray_metrics import RunGauges
    from digits_ray.tracking.tensorboard import event_file

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "mlflow": ["MlflowTracking", "check_tracking"],
        "ray_metrics": ["RunGauges"],
        "tensorboard": ["event_file"],
    },
)
