"""Ensembles of CNNs on labelled small images, trained by Ray actors: from a laptop to a GPU cluster.

```python
from digits_ray import load_run, run

run("fast", out="runs/first")  # the handwritten digits inside scikit-learn; or train=(images, labels)
finished = load_run("runs/first")
print(finished)  # networks, accuracy, 95 % interval; finished.predict(images) labels images
```
"""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports
from digits_ray.version import __version__ as __version__

if TYPE_CHECKING:
    from digits_ray.cli.terminal import ProgressCallback
    from digits_ray.config import Augmentation, Config, load_config
    from digits_ray.errors import RunError, UserError
    from digits_ray.estimator import EnsembleClassifier
    from digits_ray.interactive import distil, run, tune
    from digits_ray.runs import Run, RunCallback, augment, compare, load_run

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "cli.terminal": ["ProgressCallback"],
        "config": ["Augmentation", "Config", "load_config"],
        "errors": ["RunError", "UserError"],
        "estimator": ["EnsembleClassifier"],
        "interactive": ["distil", "run", "tune"],
        "runs": ["Run", "RunCallback", "augment", "compare", "load_run"],
    },
)
