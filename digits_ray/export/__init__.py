"""The finished ensemble in one file that needs no digits_ray: Keras, ONNX or TFLite."""

from typing import TYPE_CHECKING

from digits_ray.lazy import lazy_exports

if TYPE_CHECKING:
    from digits_ray.export.exporting import Export, export_run
    from digits_ray.export.formats import FORMATS
    from digits_ray.export.selection import selected_members

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        "exporting": ["Export", "export_run"],
        "formats": ["FORMATS"],
        "selection": ["selected_members"],
    },
)
