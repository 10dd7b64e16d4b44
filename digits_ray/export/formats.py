"""The formats of an exported ensemble, and what each needs."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import PurePath

from digits_ray.errors import UserError


@dataclass(frozen=True)
class Format:
    """One kind of file."""

    name: str  # as --format has it
    suffix: str  # of the file's name, by which runtimes know it
    runtime: str  # for people
    modules: tuple[str, ...]  # that convert and run it

    def check(self, output: str) -> None:
        """Raises UserError where a package is missing or the file's name has another ending."""
        missing = [module for module in self.modules if find_spec(module) is None]
        if missing:
            raise UserError(f"--format {self.name}: no {missing[0]} here. pip install 'digits-ray[export]'.")
        if PurePath(output).suffix != self.suffix:
            raise UserError(f"--output {output}: --format {self.name} ends in {self.suffix}. Name it so.")


FORMATS = {
    each.name: each
    for each in (
        Format("keras", ".keras", "plain Keras", ("tensorflow",)),
        Format("onnx", ".onnx", "onnxruntime", ("tensorflow", "tf2onnx", "onnx", "onnxruntime")),
        Format("tflite", ".tflite", "LiteRT", ("tensorflow", "ai_edge_litert")),
    )
}
