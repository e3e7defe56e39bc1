"""Checks that the code never unpickles, executes or unpacks data; part of `make lint`.

* pickle and its kin are not imported (the name of pickle's error is all that may be), torch.load
  stands beside `weights_only=True`, numpy loads no objects;
* nothing is evaluated or executed, no shell is started, no archive unpacks itself;
* markup given to the browser is written here: a variable part is escaped, a number with a format,
  or made by a function called `…_html` or `…_display`, whose own markup is checked the same way.

Exit code 1 and a line for each finding.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKED = ("app.py", "home.py", "pages", "dj_ui", "dj_core", "scripts", "benchmarks")

UNSAFE_MODULES = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "jsonpickle", "marshal",
    "shelve",
}  # fmt: skip
HARMLESS_NAMES = {"UnpicklingError"}  # to catch what torch raises is not to unpickle
RUNNING_CODE = {"eval", "exec", "compile", "__import__"}
SHELLS = {("os", "system"), ("os", "popen"), ("subprocess", "getoutput"),
          ("subprocess", "getstatusoutput")}  # fmt: skip
UNPACKING = {"extractall", "unpack_archive"}
SPEAKING = {"info", "warning", "error", "success", "caption", "write", "markdown", "toast"}
MARKUP_MAKERS = ("_html", "_display")
SAFE_CALLS = {"escape", "quote", "offer", "len", "round", "counted", "duration_words"}
"""Functions whose text holds no markup: two that escape, an address of ours, and numbers."""
NUMBER_FORMATS = set("defgn%,")  # formats that a text cannot be given to


@dataclass(frozen=True)
class Finding:
    """A line that does what our code does not do."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        """As compilers say it."""
        return f"{self.path}:{self.line}: {self.what}"


def check_source(source: str, path: Path = Path("source.py")) -> list[Finding]:
    """Everything in a module that may not be, in the order of its lines."""
    tree = ast.parse(source)
    found = [*_imports(tree), *_calls(tree), *_Markup(tree).findings()]
    return [Finding(path, line, what) for line, what in sorted(set(found))]


Found = Iterator[tuple[int, str]]


def _imports(tree: ast.AST) -> Found:
    for node in ast.walk(tree):
        names: Iterable[str] = ()
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            wanted = {alias.name for alias in node.names}
            names = [] if wanted <= HARMLESS_NAMES else [node.module or ""]
        for name in names:
            if name.split(".")[0] in UNSAFE_MODULES:
                yield node.lineno, f"{name} can execute what it reads; use JSON or safetensors"


def _calls(tree: ast.AST) -> Found:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        owner, name = _called(node)
        given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        if owner is None and name in RUNNING_CODE:
            yield node.lineno, f"{name}() runs text as code"
        if name == "eval" and owner and (node.args or node.keywords):
            yield node.lineno, "eval() of an expression runs text as code"
        if (owner, name) in SHELLS or _is_true(given.get("shell")):
            yield node.lineno, "a shell reads its command anew; give subprocess a list"
        if name in UNPACKING:
            yield node.lineno, f"{name}() believes the names in an archive; read entry by entry"
        if (owner, name) == ("torch", "load") and not _is_true(given.get("weights_only")):
            yield node.lineno, "torch.load() executes what it reads without weights_only=True"
        if "allow_pickle" in given and not _is_false(given["allow_pickle"]):
            yield node.lineno, "allow_pickle executes what it reads"
        if owner == "st" and name in SPEAKING and any(map(_is_error, node.args)):
            yield node.lineno, "an error's words may hold a name from a file; say spoken(error)"
        if name == "mktemp":
            yield node.lineno, "mktemp() names a file that another may make first; use mkstemp"


class _Markup:
    """Whether the markup that a module gives to the browser is its own."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.constants = _bound(tree.body)

    def findings(self) -> Found:
        """Every place where something else may get in."""
        yield from self._sinks(self.tree, [self.constants])
        for function in ast.walk(self.tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            scope = [_bound(function.body), self.constants]
            yield from self._sinks(function, scope)
            if _makes_markup(function):
                for node in ast.walk(function):
                    if isinstance(node, ast.Return) and not self._is_safe(node.value, scope):
                        yield node.lineno, f"{function.name}() returns text that is not escaped"

    def _sinks(self, place: ast.AST, scope: list[dict[str, list[ast.expr]]]) -> Found:
        for node in _own_nodes(place):
            if not isinstance(node, ast.Call):
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            markup = None
            if _called(node) == ("st", "html") and (node.args or "body" in given):
                markup = node.args[0] if node.args else given["body"]
            elif "unsafe_allow_html" in given and not _is_false(given["unsafe_allow_html"]):
                markup = node.args[0] if node.args else given.get("body")
            if markup is not None and not self._is_safe(markup, scope):
                yield node.lineno, "markup with a variable part that is not escaped"

    def _is_safe(
        self,
        node: ast.expr | None,
        scope: list[dict[str, list[ast.expr]]],
        seen: frozenset[str] = frozenset(),
    ) -> bool:
        """No text from elsewhere can be in what `node` gives."""
        if node is None or isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.JoinedStr):
            return all(self._is_safe(part, scope, seen) for part in node.values)
        if isinstance(node, ast.FormattedValue):
            return _is_number_format(node) or self._is_safe(node.value, scope, seen)
        if isinstance(node, ast.IfExp):
            return all(self._is_safe(part, scope, seen) for part in (node.body, node.orelse))
        if isinstance(node, ast.BinOp):
            return _is_path(node) or (
                self._is_safe(node.left, scope, seen) and self._is_safe(node.right, scope, seen)
            )
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            return self._is_safe(node.elt, [_named_items(node), *scope], seen)
        if isinstance(node, ast.List | ast.Tuple):
            return all(self._is_safe(part, scope, seen) for part in node.elts)
        if isinstance(node, ast.Name):
            return self._is_safe_name(node.id, scope, seen)
        return isinstance(node, ast.Call) and self._is_safe_call(node, scope, seen)

    def _is_safe_name(
        self, name: str, scope: list[dict[str, list[ast.expr]]], seen: frozenset[str]
    ) -> bool:
        """Everything the name is ever bound to is safe; a parameter is not known to be."""
        if name in seen:
            return True
        for names in scope:
            if name in names:
                return all(self._is_safe(value, scope, seen | {name}) for value in names[name])
        return False

    def _is_safe_call(
        self, node: ast.Call, scope: list[dict[str, list[ast.expr]]], seen: frozenset[str]
    ) -> bool:
        name = _called(node)[1]
        if name == "join":  # what stands between is part of the markup too
            between = node.func.value if isinstance(node.func, ast.Attribute) else None
            return all(self._is_safe(part, scope, seen) for part in (between, *node.args))
        if name == "decode" and isinstance(node.func, ast.Attribute):
            made = node.func.value  # base64 has no letters that mean anything to a browser
            return isinstance(made, ast.Call) and _called(made)[0] == "base64"
        return name in SAFE_CALLS or name.endswith(MARKUP_MAKERS)


def _bound(body: list[ast.stmt]) -> dict[str, list[ast.expr]]:
    """What names are assigned in a body, inner functions left out."""
    names: dict[str, list[ast.expr]] = {}
    for statement in body:
        for node in (statement, *_own_nodes(statement)):
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        names.setdefault(target.id, []).append(node.value)
            if isinstance(node, ast.For):
                names |= _of_loop(node.target, node.iter)
    return names


def _named_items(node: ast.GeneratorExp | ast.ListComp) -> dict[str, list[ast.expr]]:
    names: dict[str, list[ast.expr]] = {}
    for part in node.generators:
        names |= _of_loop(part.target, part.iter)
    return names


def _of_loop(target: ast.expr, iterable: ast.expr) -> dict[str, list[ast.expr]]:
    """A loop over a name takes what that name holds; several targets stay unknown."""
    known = isinstance(target, ast.Name) and isinstance(iterable, ast.Name | ast.Tuple | ast.List)
    return {target.id: [iterable]} if known and isinstance(target, ast.Name) else {}


def _own_nodes(place: ast.AST) -> Iterator[ast.AST]:
    """The nodes below `place`, functions defined inside it left out."""
    for child in ast.iter_child_nodes(place):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        yield child
        yield from _own_nodes(child)


def _makes_markup(function: ast.FunctionDef) -> bool:
    tells = isinstance(function.returns, ast.Name) and function.returns.id == "bool"
    return function.name.endswith(MARKUP_MAKERS) and not tells


def _called(node: ast.Call) -> tuple[str | None, str]:
    """('torch', 'load') for torch.load(…), (None, 'eval') for eval(…)."""
    if isinstance(node.func, ast.Attribute):
        owner = node.func.value
        return (owner.id if isinstance(owner, ast.Name) else "?"), node.func.attr
    return None, node.func.id if isinstance(node.func, ast.Name) else ""


def _is_number_format(node: ast.FormattedValue) -> bool:
    spec = node.format_spec
    if not isinstance(spec, ast.JoinedStr) or not spec.values:
        return False
    last = spec.values[-1]
    return isinstance(last, ast.Constant) and str(last.value)[-1:] in NUMBER_FORMATS


def _is_path(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.Div)  # a file of ours, which Streamlit reads


def _is_error(node: ast.expr) -> bool:
    """str(error), whatever the error is called."""
    return isinstance(node, ast.Call) and _called(node) == (None, "str")


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def main(names: list[str]) -> int:
    """Check the files and folders named, or all of our code."""
    places = [Path(name) for name in names] or [ROOT / name for name in CHECKED]
    paths = [path for place in places for path in sorted([place, *place.rglob("*.py")])]
    found = []
    for path in paths:
        if path.suffix == ".py":
            found += check_source(path.read_text("utf-8"), path)
    for finding in found:
        print(finding)
    if not found:
        print("Nothing is unpickled, executed or unpacked, and all markup is ours.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
