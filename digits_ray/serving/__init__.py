"""A finished run behind HTTP: `POST /predict`, and a page to draw on. Ray Serve runs it, FastAPI answers."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.serving.server import serve_run
    from digits_ray.serving.settings import ServeSettings

__getattr__, __all__ = lazy_exports(__name__, {"server": ["serve_run"], "settings": ["ServeSettings"]})
