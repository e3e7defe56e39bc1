"""The shape of the code, held by the code: who may import whom, and how light the start is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# docs/architecture.md's table, bottom first: a module imports its own layer or those below
LAYERS = [
    {"errors", "drums", "note_maps", "drum_maps", "genres", "beat", "timing", "limits",
     "access", "executors", "records"},
    {"storage", "remote", "naming", "legacy_text", "midi", "midi_events", "midi_reading",
     "patterns", "beat_json", "queueing", "traits"},
    {
        "sources", "families", "intake", "packs", "corpus", "statistics",
        "ngram", "engraving", "notation", "music", "render", "figures", "metrics", "loudness",
        "export", "loop_check",
    },
    {"models", "examination", "paper", "shape"},
    {"jobs", "library", "crate_store", "crate", "setlist", "rekordbox", "pack"},
    {"cli", "__main__"},
]  # fmt: skip
LAYER = {module: number for number, layer in enumerate(LAYERS) for module in layer}


def layer_of(module):
    """A package stands on one layer with all its modules."""
    return LAYER[module.split(".")[0]]


HEAVY = {"torch", "music21", "matplotlib", "pretty_midi", "fluidsynth", "pandas", "streamlit"}


def core_modules():
    for path in sorted((ROOT / "dj_core").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "dj_core").with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where things come from"
            yield node.module


def test_every_module_has_a_place_in_the_layers():
    top = {name.split(".")[0] for name, _ in core_modules() if name != "__init__"}
    assert top <= set(LAYER)


@pytest.mark.parametrize(
    ("name", "path"), [(name, path) for name, path in core_modules() if name != "__init__"]
)
def test_imports_run_downward(name, path):
    for imported in imports_of(path):
        if imported.startswith("dj_core."):
            below = imported.removeprefix("dj_core.")
            assert layer_of(below) <= layer_of(name), (
                f"{name} imports {below}, which stands above it"
            )


def test_the_core_knows_no_screen():
    for name, path in core_modules():
        reached = {imported.split(".")[0] for imported in imports_of(path)}
        assert not reached & {"streamlit", "dj_ui", "pages", "app"}, name


def test_importing_the_core_is_light():
    modules = ["beat", "midi", "corpus", "library", "cli", "patterns", "naming", "models.families"]
    script = "import sys\n" + "".join(f"import dj_core.{module}\n" for module in modules)
    script += "print(' '.join(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(answer.stdout.split())


def test_no_midi_note_number_stands_outside_the_drum_table():
    """Sets of three and more literal note numbers are what copies of the table look like."""
    for name, path in core_modules():
        if name in ("drums", "drum_maps"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
                parts = node.keys if isinstance(node, ast.Dict) else node.elts
                numbers = [part.value for part in parts if isinstance(part, ast.Constant)]
                drums = [n for n in numbers if isinstance(n, int) and 35 <= n <= 81]
                assert len(drums) < 3, f"{path}:{node.lineno} looks like a second drum table"


def test_pages_are_thin():
    for path in (ROOT / "pages").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{path}: {node.name} is long"
        assert not HEAVY - {"streamlit", "pandas"} & set(imports_of(path)), path
