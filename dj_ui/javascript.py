"""Joins a component's JavaScript modules into the one text that Streamlit accepts.

Streamlit sends a component's script as one text along with the page, and the browser loads it from
an address of its own, where a relative import finds nothing. So the imports are followed here:
every module becomes a function that runs once, after those of the modules it imports, and returns
what it exports. What it does not export stays its own, as in the browser's own modules.

The files use this much of the language of modules, at the beginnings of lines; all else is an
error, so that no module means one thing here and another to a browser:

    import { name, other as another } from './file.js'
    export const NAME = …     export class Name …     export function name …
    export default …
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

_ABOUT = re.compile(r"\A(?://.*\n)+")  # the comment a file begins with
_IMPORT = re.compile(r"^import \{([^}]+)\} from '(\.\.?/[\w./]+\.js)'\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:const|class|(?:async )?function\*?) (\w+))", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
_NOT_UNDERSTOOD = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@dataclass(frozen=True)
class _Module:
    """One file.

    Attributes:
        imports: by file, the names taken from it: what they are called there → here.
        exports: the names that others may import; 'default' is one.
        body: the text without its first comment, imports and the word `export`.
    """

    imports: Mapping[Path, Mapping[str, str]]
    exports: tuple[str, ...]
    body: str


@functools.cache
def joined(entry: Path) -> str:
    """The module in the file `entry` with all it imports, as one module of the same exports.

    Raises:
        ValueError: modules import each other in a circle, a name is not exported where it is
            imported from, or an import or export is written in a way that is not understood.
    """
    entry = entry.resolve()
    modules = _with_imports(entry)
    order = TopologicalSorter({path: module.imports for path, module in modules.items()})
    names: dict[Path, str] = {}
    parts = []
    for path in order.static_order():
        names[path] = f"module{len(names)}"
        parts.append(_as_function(path, modules[path], names))
    exports = modules[entry].exports
    if named := [name for name in exports if name != "default"]:
        parts.append(f"export const {{ {', '.join(named)} }} = {names[entry]}")
    if "default" in exports:
        parts.append(f"export default {names[entry]}.default")
    return "\n".join(parts)


def _with_imports(entry: Path) -> dict[Path, _Module]:
    """The modules that are needed, by their files."""
    modules: dict[Path, _Module] = {}
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        if path not in modules:
            modules[path] = _read(path)
            waiting += modules[path].imports
    for path, module in modules.items():
        for other, wanted in module.imports.items():
            if missing := wanted.keys() - modules[other].exports:
                raise ValueError(f"{path} imports {min(missing)}, which {other} does not export")
    return modules


def _read(path: Path) -> _Module:
    text = path.read_text("utf-8")
    imports: dict[Path, dict[str, str]] = {}
    for names, address in _IMPORT.findall(text):
        wanted = imports.setdefault((path.parent / address).resolve(), {})
        for name in filter(None, map(str.strip, names.split(","))):
            there, _, here = name.partition(" as ")
            wanted[there] = here or there
    exports = _EXPORT.findall(text)
    body, defaults = _DEFAULT.subn("const exportedByDefault = ", text)
    body = _EXPORT.sub("", _IMPORT.sub("", _ABOUT.sub("", body)))
    if unknown := _NOT_UNDERSTOOD.search(body):
        raise ValueError(f"{path}: this import or export is not understood: {unknown[0]}")
    return _Module(imports, (*exports, *["default"] * defaults), body.strip())


def _as_function(path: Path, module: _Module, names: Mapping[Path, str]) -> str:
    """The module as a constant called as `names` says: an object of what it exports."""
    taken = [
        f"const {{ {', '.join(map(_called, wanted.items()))} }} = {names[other]};"
        for other, wanted in module.imports.items()
    ]
    given = ["default: exportedByDefault" if name == "default" else name for name in module.exports]
    return "\n".join(
        [
            f"// {path.parent.name}/{path.name}",
            f"const {names[path]} = (() => {{",
            *taken,
            module.body,
            f"return {{ {', '.join(given)} }}",
            "})()",
        ]
    )


def _called(name: tuple[str, str]) -> str:
    there, here = name
    return here if there == here else f"{there}: {here}"
