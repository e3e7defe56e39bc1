"""Write the list of files into docs/architecture.md: ``python -m scripts.file_list``."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- files: python -m scripts.file_list -->", "<!-- end of files -->"
LISTED = ("dj_core", "dj_ui", "pages")


def with_list(document: str) -> str:
    """The document with the list as the code says it now."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [_folder_text(ROOT / top) for top in LISTED]
    return f"{before}{BEGIN}\n\n" + "\n".join(parts) + f"\n{END}{after}"


def _folder_text(folder: Path) -> str:
    """A table of a folder's files, then those of its folders."""
    files = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    name = folder.relative_to(ROOT).as_posix()
    about = _first_line(folder / "__init__.py") if (folder / "__init__.py").exists() else ""
    lines = [f"**`{name}/`** {about}".rstrip(), ""]
    if files:
        lines += ["| file | its job |", "|---|---|"]
        lines += [f"| `{path.name}` | {_first_line(path)} |" for path in files]
        lines.append("")
    inner = sorted(path for path in folder.iterdir() if (path / "__init__.py").exists())
    return "\n".join(lines + [_folder_text(path) for path in inner])


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def main() -> int:
    """Write the list; 0 always."""
    DOCUMENT.write_text(with_list(DOCUMENT.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
