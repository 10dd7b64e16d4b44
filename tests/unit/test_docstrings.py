"""Public functions on arrays say the arrays' shapes."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import digits_ray

PACKAGE = Path(digits_ray.__file__).parent
SHAPE = re.compile(r"\([a-z_0-9][\w +-]*,[^()]*\)")  # (rows,), (rows, height, width), (queries, 10)
REFERENCE = re.compile(r"as for `(\w+)`")  # "Arguments and errors as for `score`."
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Documented:
    """A public function, and all the text that may give the shapes of its arrays."""

    name: str  # module:function, or module:Class.method
    node: Function
    docstring: str
    lines: list[str]  # of its module
    functions: dict[str, str]  # docstrings of its module's public functions, by name

    def arrays(self) -> list[str]:
        """The array parameters, and "return" for an array result."""
        given = self.node.args
        parameters = [one for one in (*given.posonlyargs, *given.args, *given.kwonlyargs) if _is_array(one.annotation)]
        return [one.arg for one in parameters] + ["return"] * _is_array(self.node.returns)

    def is_override(self) -> bool:
        """Tells whether it is a method that says nothing because the method that it overrides says it."""
        return not self.docstring and "." in self.name.partition(":")[2] and self.node.name in DOCUMENTED

    def gives_shape(self, array: str) -> bool:
        """Tells whether a parameter's or the result's shape can be read."""
        return bool(SHAPE.search(self._text_on(array)))

    def _text_on(self, array: str) -> str:
        head, entries = _parts(self.docstring)
        if array == "return":
            return head
        text = entries.get(array, "") + self._comment(array)
        for function in REFERENCE.findall(head):
            text += _parts(self.functions.get(function, ""))[1].get(array, "")
        return text or head  # a line that names few arguments needs no list of them

    def _comment(self, parameter: str) -> str:
        given = self.node.args
        line = next(one.lineno for one in (*given.args, *given.kwonlyargs, *given.posonlyargs) if one.arg == parameter)
        return self.lines[line - 1].partition("  # ")[2]


def _is_array(annotation: ast.expr | None) -> bool:
    """Tells whether the type holds arrays; tables of named columns, dict[str, np.ndarray], do not count."""
    text = ast.unparse(annotation).replace("str, np.ndarray", "") if annotation else ""
    return "np.ndarray" in text


def _parts(docstring: str) -> tuple[str, dict[str, str]]:
    """Splits a docstring into the entries of its "Args:" and all the rest."""
    head, _, tail = docstring.partition("Args:\n")
    args, _, rest = tail.partition("\n\n")
    entries = re.findall(r"^ *\*{0,2}(\w+): (.*(?:\n {8,}.*)*)", args, re.MULTILINE)
    return f"{head}\n{rest}", dict(entries)


def _public_functions(path: Path) -> Iterator[Documented]:
    source = path.read_text()
    tree, module = ast.parse(source), ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    owners: list[tuple[str, ast.Module | ast.ClassDef]] = [("", tree)]
    owners += [(f"{node.name}.", node) for node in tree.body if isinstance(node, ast.ClassDef)]
    nodes = [
        (owner + node.name, node)
        for owner, body in owners
        for node in body.body
        if isinstance(node, Function) and not re.search(r"(^|\.)_(?!_)", owner + node.name)
    ]
    docstrings = {node.name: ast.get_docstring(node) or "" for _, node in nodes}
    for name, node in nodes:
        yield Documented(f"{module}:{name}", node, ast.get_docstring(node) or "", source.splitlines(), docstrings)


FUNCTIONS = [function for path in sorted(PACKAGE.rglob("*.py")) for function in _public_functions(path)]
DOCUMENTED = {function.node.name for function in FUNCTIONS if function.docstring}
ON_ARRAYS = [function for function in FUNCTIONS if function.arrays() and not function.is_override()]


@pytest.mark.parametrize("function", ON_ARRAYS, ids=[function.name for function in ON_ARRAYS])
def test_a_public_function_on_arrays_gives_their_shapes(function: Documented) -> None:
    assert [array for array in function.arrays() if not function.gives_shape(array)] == []


def test_a_docstring_without_shapes_is_noticed() -> None:
    code = "def mean(proba: np.ndarray, rows: np.ndarray) -> np.ndarray:\n    '''Returns the mean.\n\n    Args:\n"
    code += "        proba: (rows, classes).\n        rows: Which ones.\n    '''\n"
    (node,) = ast.parse(code).body
    assert isinstance(node, ast.FunctionDef)
    function = Documented("mean", node, ast.get_docstring(node) or "", code.splitlines(), {})
    assert [array for array in function.arrays() if not function.gives_shape(array)] == ["rows", "return"]


def test_every_public_name_is_described() -> None:
    """Else the reference of the Python interface would show it bare."""
    names = {name: getattr(digits_ray, name) for name in digits_ray.__all__}
    methods = {
        f"{name}.{method}": value
        for name, owner in names.items()
        if isinstance(owner, type)
        for method, value in vars(owner).items()
        if not method.startswith("_") and (callable(value) or isinstance(value, property))
    }
    assert [name for name, value in {**names, **methods}.items() if not inspect.getdoc(value)] == []
