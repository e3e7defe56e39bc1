"""Tell rekordbox where this set is: writes the place of this folder into rekordbox.xml.

Run it once after unpacking, and again whenever the folder is moved. It changes nothing else.
Needs Python 3.8 or later and nothing besides.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

PREFIX = "file://localhost/"


def relocate(folder: Path) -> int:
    """Point every track of rekordbox.xml in `folder` to its file there; returns how many."""
    collection = folder / "rekordbox.xml"
    tree = ElementTree.parse(collection)
    tracks = tree.getroot().findall("COLLECTION/TRACK")
    missing = []
    for track in tracks:
        file = file_in(folder, unquote(urlsplit(track.get("Location", "")).path))
        if file is None:
            missing.append(track.get("Name", "?"))
            continue
        track.set("Location", PREFIX + quote(file.as_posix().lstrip("/"), safe="/:"))
    if missing:
        raise FileNotFoundError("not in this folder: " + ", ".join(missing))
    fresh = collection.with_name("rekordbox.xml.new")
    tree.write(fresh, encoding="utf-8", xml_declaration=True)
    fresh.replace(collection)
    return len(tracks)


def file_in(folder: Path, location: str) -> Path | None:
    """The file in `folder` that the end of `location` names; None if there is none."""
    parts = [part for part in location.split("/") if part not in ("", ".", "..")]
    for first in range(len(parts)):
        file = folder.joinpath(*parts[first:])
        if file.is_file():
            return file
    return None


def main() -> int:
    """Relocate the folder this script lies in."""
    folder = Path(__file__).resolve().parent
    try:
        count = relocate(folder)
    except (OSError, ElementTree.ParseError) as error:
        print(f"rekordbox.xml was left as it is: {error}", file=sys.stderr)
        return 1
    print(f"{count} tracks now point to {folder}.")
    print("In rekordbox: Preferences > Advanced > Database > rekordbox xml > rekordbox.xml here.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
