"""Import and Explore as a corpus grows: time a file, memory, and what a view costs.

    .venv/bin/python benchmarks/scale.py --seeds FOLDER [--sizes 1000,10000,100000] [--json FILE]

Makes corpora by mutation of the MIDI files in FOLDER (strokes harder, softer or on another drum: no
two files are alike), imports each in a process of its own, opens it in Explore in another, and
prints a JSON object a line. Nothing is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dj_core.corpus.search import Catalogue, FileFilter
from dj_core.corpus.store import Corpus, import_corpus
from dj_core.music.drums import DRUMS

MOST_BYTES = 1_200  # of a seed: the paper's files have 434 on average
CHANGED = 0.15  # share of a mutated file's strokes that change, in either way
STROKE = re.compile(rb"[\x90-\x9f][\x00-\x7f][\x01-\x7f]")


def main() -> None:
    """Measure every size, smallest first."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=Path, help="folder of MIDI files")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--json", type=Path, help="also write the results here")
    parser.add_argument("--import", dest="folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--view", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder or asked.view:
        print(json.dumps(measured(asked.folder) if asked.folder else viewed(asked.view)))
        return
    paths = sorted(asked.seeds.rglob("*.mid"))
    seeds = [path.read_bytes() for path in paths if path.stat().st_size <= MOST_BYTES]
    results = []
    for size in map(int, asked.sizes.split(",")):
        with tempfile.TemporaryDirectory() as place:
            make(seeds, size, Path(place) / "source")
            answers = {}
            for part in ("--import", "--view"):
                command = [sys.executable, __file__, part, place]
                answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                answers |= json.loads(answer.stdout.splitlines()[-1])
        results.append({"files": size, **answers})
        print(json.dumps(results[-1]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def make(seeds: list[bytes], size: int, folder: Path) -> None:
    """`size` MIDI files in folders of a thousand."""
    chance = random.Random(1)
    for number in range(size):
        if number % 1_000 == 0:
            inside = folder / f"genre{number // 1_000 % 20}" / str(number // 1_000)
            inside.mkdir(parents=True)
        content = mutated(seeds[number % len(seeds)], chance)
        (inside / f"{number}.mid").write_bytes(content)


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A file a little like another: some of its strokes harder, softer or on another drum."""
    changed = bytearray(content)
    for match in STROKE.finditer(content):
        if chance.random() < CHANGED:
            changed[match.end() - 1] = chance.randrange(1, 128)
        if chance.random() < CHANGED:
            changed[match.end() - 2] = chance.choice(DRUMS).note
    return bytes(changed)


def measured(place: Path) -> dict[str, float]:
    """An import, and what is asked of its index; times are of the processor."""
    folder = corpus_in(place)
    before = peak_mb()
    seconds = timed(lambda: import_corpus(place / "source", folder, "scale"))
    grown = peak_mb() - before
    again = timed(lambda: import_corpus(place / "source", folder, "scale"))
    corpus = Corpus(folder)
    opened = timed(lambda: Catalogue(corpus))
    catalogue = Catalogue(corpus)
    wanted = FileFilter(words="9", bars=(1, 8), lanes=frozenset({0, 4}), tempo_bpm=(60.0, 200.0))
    counted = (catalogue.count_genres, catalogue.count_bars, catalogue.count_drums)
    files = len(catalogue)
    return {
        "import_ms_per_file": round(1_000 * seconds / files, 3),
        "again_ms_per_file": round(1_000 * again / files, 3),
        "memory_grown_mb": round(grown, 1),
        "memory_kb_per_file": round(1_024 * grown / files, 2),
        "open_seconds": round(opened, 3),
        "search_seconds": round(timed(lambda: catalogue.find(wanted)), 4),
        "numbers_seconds": round(timed(lambda: [count() for count in counted]), 4),
        "all_files_seconds": round(timed(lambda: corpus.files), 3),
        "index_mb": round(corpus.index_path.stat().st_size / 1e6, 1),
        "families": len(set(corpus.index["family"].to_pylist())),
    }


def viewed(place: Path) -> dict[str, float]:
    """Explore on the corpus, the whole page: for the first time, again, and with a search."""
    from streamlit.testing.v1 import AppTest

    os.environ["DIGITAL_DJ_HOME"] = str(place)
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600)
    test.switch_page("pages/explore.py").run()  # another corpus: the app is warm
    before = peak_mb()
    choose = test.selectbox(key="corpus").set_value("scale")
    taken = {"first_view_seconds": timed(choose.run), "view_seconds": timed(test.run)}
    taken["search_view_seconds"] = timed(test.text_input(key="words").set_value("99").run)
    taken["view_memory_mb"] = peak_mb() - before
    assert not test.exception, test.exception
    assert any("scale" in str(box.value) for box in test.selectbox)
    return {name: round(value, 3) for name, value in taken.items()}


def corpus_in(place: Path) -> Path:
    """Where the library in `place` keeps the corpus."""
    return place / "corpora" / "scale"


def peak_mb() -> float:
    """The most memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def timed(work: Callable[[], object]) -> float:
    """Seconds of the processor."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
