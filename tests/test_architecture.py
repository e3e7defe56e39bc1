"""The shape of the code, held by the code: who may import whom, and how light the start is."""

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from scripts import file_list

ROOT = Path(__file__).resolve().parent.parent

# docs/architecture.md's list, top first: a folder imports itself or what stands below it
FOLDERS = (
    "cli", "live", "taste", "blind_test", "matching", "shaping", "paper", "evaluation", "sets",
    "library", "models", "corpus", "listening", "sound", "files", "host", "music", "errors",
    "product",
)  # fmt: skip
PLACE = {folder: place for place, folder in enumerate(FOLDERS)}
HEAVY = {"torch", "music21", "matplotlib", "pretty_midi", "fluidsynth", "pandas", "streamlit"}


def modules():
    """Name → path of every file of the core, the screen and the pages."""
    found = {}
    for folder in ("dj_core", "dj_ui", "pages"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()
CORE = [name for name in MODULES if name.startswith("dj_core.")]


def imports_of(name):
    """Names of everything a file imports, anywhere in it."""
    path = MODULES[name]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where things come from"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


@pytest.mark.parametrize("name", CORE)
def test_imports_run_downward(name):
    own = name.split(".")[1]
    if own == "__main__":
        return
    for imported in imports_of(name):
        if imported.startswith("dj_core."):
            other = imported.split(".")[1]
            assert PLACE[own] <= PLACE[other], f"{name} imports {imported}, which stands above it"


def test_no_file_imports_in_a_circle():
    """Imports inside functions count, and those for type checkers only, too."""
    edges = {name: {one for one in imports_of(name) if one in MODULES} for name in MODULES}
    open_, done = set(), set()

    def visit(name, way):
        assert name not in open_, f"circle: {' > '.join([*way, name])}"
        if name in done:
            return
        open_.add(name)
        for other in sorted(edges[name] - {name}):
            visit(other, [*way, name])
        open_.discard(name)
        done.add(name)

    for name in MODULES:
        visit(name, [])


def test_no_file_name_is_used_twice():
    names = Counter(path.name for path in MODULES.values() if path.name != "__init__.py")
    assert not {name: count for name, count in names.items() if count > 1}


def test_the_core_knows_no_screen_and_shared_parts_know_no_page():
    for name in MODULES:
        reached = {imported.split(".")[0] for imported in imports_of(name)}
        if name.startswith("dj_core"):
            assert not reached & {"streamlit", "dj_ui", "pages", "app"}, name
        if name.startswith("dj_ui"):
            assert not reached & {"pages", "app"}, name


def test_a_request_depends_on_no_family():
    """Only the table of families imports them; all else asks the table."""
    folders = [path.parent for path in (ROOT / "dj_core" / "models").glob("*/__init__.py")]
    families = tuple(f"dj_core.models.{folder.name}" for folder in folders)
    assert len(families) >= 3
    for name in CORE:
        if name.startswith("dj_core.models.") and not name.startswith(families):
            reached = [one for one in imports_of(name) if one.startswith(families)]
            assert not reached or name == "dj_core.models.families", f"{name} imports {reached}"


def test_importing_the_core_is_light():
    script = "import sys, dj_core\n"
    script += "for name in dj_core.__all__: getattr(dj_core, name)\n"
    script += "import dj_core.cli\nprint(' '.join(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(answer.stdout.split())


def test_a_beat_from_the_command_line_loads_nothing_heavy(home, tmp_path):
    script = "import sys\nfrom dj_core.cli import main\n"
    script += f"main(['generate', '--genre', 'house', '--out', {str(tmp_path)!r}])\n"
    script += "print(' '.join(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, env={**os.environ, "DIGITAL_DJ_HOME": str(home)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not (HEAVY | {"scipy", "pyarrow", "PIL"}) & set(answer.stdout.split())


def test_the_public_surface_is_whole():
    """`__all__` names what is there, in order, each with a docstring; nothing else is offered."""
    import dj_core

    assert list(dj_core.__all__) == sorted(dj_core.__all__, key=str.lower)
    for name in dj_core.__all__:
        found = getattr(dj_core, name)
        assert found.__doc__, name
        assert found.__module__.startswith("dj_core."), name
    assert set(dj_core.__all__) <= set(dir(dj_core))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = dj_core.no_such_name


def test_every_file_and_its_job_stand_in_the_document():
    """docs/architecture.md lists each file with its docstring's first line."""
    document = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert file_list.with_list(document) == document, "run python -m scripts.file_list"


def test_no_midi_note_number_stands_outside_the_drum_table():
    """Sets of three and more literal note numbers are what copies of the table look like."""
    for name in CORE:
        path = MODULES[name]
        if path.name in ("drums.py", "note_maps.py", "drum_maps.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
                parts = node.keys if isinstance(node, ast.Dict) else node.elts
                numbers = [part.value for part in parts if isinstance(part, ast.Constant)]
                drums = [n for n in numbers if isinstance(n, int) and 35 <= n <= 81]
                assert len(drums) < 3, f"{path}:{node.lineno} looks like a second drum table"


def test_pages_are_thin():
    for name, path in MODULES.items():
        if name.startswith("pages."):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    assert node.end_lineno - node.lineno < 100, f"{path}: {node.name} is long"
            assert not HEAVY - {"streamlit", "pandas"} & set(imports_of(name)), path
