"""Hostile zips of every known kind, and what importing each of them costs.

    .venv/bin/python tests/hostile_zips.py FOLDER [KIND …]

Each is imported into a corpus of its own below FOLDER; one line of JSON says what came of it.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

Maker = Callable[[Path], None]


def good_midi(number: int = 0) -> bytes:
    """A beat like no other of these."""
    from dj_core.files.midi import midi_bytes
    from dj_core.music.beat import Beat, Hit

    hits = [Hit.of("closed_hat", 0.5 * place, 40 + number % 80) for place in range(8)]
    hits += [Hit.of("kick", (number % 16) / 4), Hit.of("snare", 1 + number % 3)]
    return midi_bytes(Beat(tuple(hits), bars=1))


def _write(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def slip(path: Path) -> None:
    """Names that climb out of any folder."""
    places = ("../../slipped.mid", "/tmp/slipped.mid", "..\\..\\slipped.mid", "C:\\slipped.mid",
              "a/../../../slipped.mid", "~/slipped.mid")  # fmt: skip
    _write(path, {name: good_midi(number) for number, name in enumerate(places)})


def bomb(path: Path) -> None:
    """A small zip of 4 GB, honest about it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(5):
            with archive.open(f"{number}.mid", "w") as file:
                for _ in range(50):
                    file.write(bytes(1_000_000))


def lying_sizes(path: Path) -> None:
    """As much, and every size in the zip says ten bytes."""
    bomb(path)
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        place = content.find(mark)
        while place >= 0:
            content[place + offset : place + offset + 4] = struct.pack("<I", 10)
            place = content.find(mark, place + 1)
    path.write_bytes(content)


def lying_small(path: Path) -> None:
    """Four thousand files that claim ten bytes and hold 1.9 MB each: 8 GB."""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeezed.compress(bytes(1_900_000)) + squeezed.flush()
    _raw(path, [(f"{number}.mid", data, 10, 8) for number in range(4_000)])


def overlap(path: Path) -> None:
    """Four thousand entries that are all the same bytes of the file."""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeezed.compress(bytes(1_900_000)) + squeezed.flush()
    _raw(path, [(f"{number}.mid", data, 1_900_000, 8) for number in range(4_000)], overlapping=True)


def nested(path: Path) -> None:
    """Zips in zips in zips."""
    inner = b"".join((good_midi(),))
    for _ in range(20):
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("inner.zip", inner)
        inner = buffer.getvalue()
    path.write_bytes(inner)


def many_entries(path: Path) -> None:
    """A hundred thousand files."""
    _raw(path, [(f"{number}.mid", b"", 0, 0) for number in range(100_000)], overlapping=True)


def symlink(path: Path) -> None:
    """Links to what is none of ours."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, target in enumerate(("/etc/passwd", "../../../../etc/passwd", ".")):
            entry = zipfile.ZipInfo(f"link{number}.mid")
            entry.create_system = 3
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, target)
        archive.writestr("good.mid", good_midi())


def encrypted(path: Path) -> None:
    """Locked with a password."""
    _write(path, {"locked.mid": good_midi()})
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.find(mark) + offset] |= 1
    path.write_bytes(content)


def names(path: Path) -> None:
    """Names that turn the writing, are markup, or are no names."""
    odd = ("safe\u202edim.mid", "<img src=x onerror=alert(1)>.mid", "![x](http://e.example/p).mid",
           "**b** _i_ `c`.mid", "a\u0000b.mid", "line\nbreak.mid", "😀" * 80 + ".mid", "n" * 60_000
           + ".mid", ".mid/.mid", "con.mid", " .mid", "é.mid", "e\u0301.mid")  # fmt: skip
    _write(path, {name: good_midi(number) for number, name in enumerate(odd)})


def duplicates(path: Path) -> None:
    """One name for several files."""
    files = [("same.mid", good_midi(number), len(good_midi(number)), 0) for number in range(3)]
    _raw(path, files)


def deep(path: Path) -> None:
    """Folders inside folders, thousands of them."""
    _write(path, {"a/" * 5_000 + "deep.mid": good_midi(), "good.mid": good_midi(1)})


def odd_methods(path: Path) -> None:
    """Packed by methods that ask for memory before the first byte."""
    _write(path, {"lzma.mid": good_midi()}, zipfile.ZIP_LZMA)


def fact_sheets(path: Path) -> None:
    """Tables of a million rows, of one endless field, and of nothing at all."""
    _write(path, {
        "good.mid": good_midi(),
        "info.csv": b"file,genre,bpm\n" + b"x.mid,jazz,100\n" * 260_000,
        "a/info.csv": b'file,genre\n"' + b"x" * 3_000_000,
        "b/info.csv": b"file\x00,\x00\n\xff\xfe",
        "c/info.csv": b"file,genre,bpm\ngood.mid,<b>,1e999\n",
    })  # fmt: skip


def worst_midi(path: Path) -> None:
    """Three files, each as large as one may be."""
    from hostile_midi import END, HEADER

    entries = {}
    for number, event in enumerate((b"\x00\x24\x7f", b"\x01\x24\x7f", b"\x00\xff\x01\x00")):
        body = b"\x00\x99\x24\x7f" + event * 190_000 + END
        entries[f"{number}.mid"] = (
            HEADER + b"\x00\x00\x00\x01\x01\xe0MTrk" + len(body).to_bytes(4) + body
        )
    _write(path, entries)


def torn(path: Path) -> None:
    """Cut off in the middle."""
    _write(path, {f"{number}.mid": good_midi(number) for number in range(20)})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _raw(
    path: Path, files: list[tuple[str, bytes, int, int]], *, overlapping: bool = False
) -> None:
    """A zip written by hand: (name, data, claimed size, method), all at one place if wished."""
    body, table = BytesIO(), BytesIO()
    for name, data, claimed, method in files:
        place = 0 if overlapping else body.tell()
        sizes = struct.pack("<III", zlib.crc32(data), len(data), claimed)
        head = struct.pack("<HHHHH", 20, 0, method, 0, 33) + sizes
        if not overlapping or not body.tell():
            body.write(b"PK\x03\x04" + head + struct.pack("<HH", len(name), 0) + name.encode())
            body.write(data)
        table.write(b"PK\x01\x02" + struct.pack("<H", 20) + head)
        table.write(struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, place) + name.encode())
    count = min(len(files), 0xFFFF)
    ends = struct.pack("<HHHHIIH", 0, 0, count, count, table.tell(), body.tell(), 0)
    path.write_bytes(body.getvalue() + table.getvalue() + b"PK\x05\x06" + ends)


MAKERS: tuple[Maker, ...] = (
    slip, bomb, lying_sizes, lying_small, overlap, nested, many_entries, symlink, encrypted,
    names, duplicates, deep, odd_methods, fact_sheets, worst_midi, torn,
)  # fmt: skip


def import_one(kind: str, folder: Path) -> dict[str, object]:
    """Import a zip that was made before, and measure it."""
    from hostile_midi import peak_megabytes

    from dj_core.corpus.store import import_corpus
    from dj_core.errors import DigitalDJError

    before = peak_megabytes()
    started = time.process_time()
    told: dict[str, object] = {"kind": kind, "refused": "", "accepted": [], "skipped": {}}
    try:
        report = import_corpus(folder / "zips" / f"{kind}.zip", folder / "corpora" / kind, kind)
    except DigitalDJError as error:
        told["refused"] = str(error)
    else:
        told["accepted"] = report.accepted
        told["skipped"] = {skipped.file: skipped.reason for skipped in report.skipped}
    told["seconds"] = round(time.process_time() - started, 3)
    told["megabytes"] = round(peak_megabytes() - before, 1)
    return told


def main() -> int:
    """Make the zips in a process of their own, then import one after another."""
    folder, kinds = Path(sys.argv[1]), sys.argv[2:] or [maker.__name__ for maker in MAKERS]
    (folder / "zips").mkdir(parents=True)
    if not os.fork():  # making them takes memory that must not hide what importing takes
        for maker in MAKERS:
            if maker.__name__ in kinds:
                maker(folder / "zips" / f"{maker.__name__}.zip")
        os._exit(0)
    if os.wait()[1]:
        return 1
    (folder / "zips" / "warm.zip").write_bytes(b"")
    _write(folder / "zips" / "warm.zip", {"good.mid": good_midi()})
    import_one("warm", folder)  # libraries load once, whatever is imported
    for kind in kinds:
        print(json.dumps(import_one(kind, folder)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
