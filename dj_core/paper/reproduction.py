"""Runs the whole reproduction, part by part, and can be resumed.

Everything is written to one folder::

    parts/NAME.json      what was measured, a file a part; a part that is there is not made again
    runs/NAME/           a training run per network, resumed where it stopped
    tables/, figures/    CSV and Markdown; SVG and PNG
    results.json         all of it, which the app's page reads
    report.md            the tables with a sentence on each
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from statistics import median
from typing import Any

from dj_core.corpus.note_strings import NoteSong
from dj_core.errors import CorpusError
from dj_core.files.records import read_json, record_of
from dj_core.files.storage import sha256_of, write_json_atomic
from dj_core.models.notes.note_checkpoint import NoteCheckpoint, load_note_model
from dj_core.models.notes.note_player import NotesModel
from dj_core.models.request import GenerationRequest
from dj_core.models.run_folder import TrainingStep
from dj_core.music.drums import DrumMap
from dj_core.paper.facts import NameIds, corpus_facts, measure_floor, split_leak
from dj_core.paper.paper_report import write_report
from dj_core.paper.plan import BEST, FINAL, PLAN, QUICK_SONGS, Entry
from dj_core.paper.results import SPLITS, WAYS, Results, SystemResult, save_results
from dj_core.paper.scoring import NoteScore, authors_accuracy, longest_song, score_network
from dj_core.paper.songs import (
    FIGURE_SEED,
    FIGURE_TEMPERATURES,
    OPENING_SONGS,
    OPENINGS,
    SEEDS,
    SONG_NOTES,
    KeptSong,
    beat_of,
    fresh_songs,
    greedy_by_genre,
    heat_at,
    make_song,
    play_on,
)
from dj_core.paper.structure import keep_the_form
from dj_core.paper.training_runs import read_curve, train_entry, trained

HEAT_TEMPERATURES = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
QUICK_TEMPERATURES = (0.0, 1.0, 5.0)
FIGURE_5_BARS = 4
Watch = Callable[[str, float], None]
"""Told what is being done and how far all of it is, 0 to 1."""


@dataclass(frozen=True)
class Material:
    """What everything is made from.

    Attributes:
        corpus: its name, for the record.
        songs: with their splits.
        families: family number by file id.
        quick: narrow networks, few epochs, few songs.
    """

    corpus: str
    songs: tuple[NoteSong, ...]
    families: Mapping[str, int]
    quick: bool = False

    @property
    def fingerprint(self) -> str:
        """Changes with the songs and with the hurry."""
        ids = [(song.file_id, song.split) for song in self.songs]
        return sha256_of(repr((ids, self.quick)).encode())

    @property
    def drum_map(self) -> DrumMap:
        """The note map the strings are in."""
        return self.songs[0].drum_map

    def split(self, name: str) -> list[NoteSong]:
        """The songs of one split."""
        return [song for song in self.songs if song.split == name]


def few_songs(songs: Sequence[NoteSong]) -> tuple[NoteSong, ...]:
    """Enough songs of each split for a quick run; all of a small corpus."""
    sixth = QUICK_SONGS // 6
    shares = {"train": 4 * sixth, "validation": sixth, "test": sixth}
    return tuple(
        song
        for split, count in shares.items()
        for song in [song for song in songs if song.split == split][:count]
    )


def reproduce(material: Material, out: Path, watch: Watch = lambda doing, done: None) -> Results:
    """Make everything that is not there yet, and write it down.

    Raises:
        CorpusError: the corpus is too small to hold anything out.
        TrainingError, LibraryError: a run or a file cannot be written.
    """
    if not material.split("validation") or not material.split("test"):
        raise CorpusError(
            f"Corpus {material.corpus!r} is too small to hold songs out for validation and test. "
            "Import more files, or the paper's corpus."
        )
    parts = _Parts(out / "parts", material.fingerprint)
    stages = len(PLAN) + 4

    def watched(stage: int, doing: str, done: float = 0.0) -> None:
        watch(doing, round((stage + done) / stages, 6))

    watched(0, "Counting")
    found = parts.get("corpus", lambda: {"facts": asdict(corpus_facts(material.songs))})
    found |= parts.get("floor", lambda: _floor_part(material))
    systems, curves = [], {}
    for stage, entry in enumerate(PLAN, start=1):
        make = partial(_system_part, entry, material, out, parts, partial(watched, stage))
        part = parts.get(f"system-{entry.name}", make)
        systems.append(part["system"])
        if part["curve"]:
            curves[entry.name] = part["curve"]
    watched(stages - 3, "Playing songs")
    found |= _songs(parts, material, out)
    watched(stages - 2, "Twelve bars")
    found |= parts.get("form", lambda: {"form": [asdict(f) for f in keep_the_form(material.quick)]})
    found |= parts.get("figure5", lambda: _figure5_part(found["songs"], material.drum_map))
    packages = ("torch", "music21", "numpy", "verovio")
    found |= {
        "corpus": material.corpus,
        "quick": material.quick,
        "drum_map": material.drum_map,
        "systems": systems,
        "curves": curves,
        "versions": {"python": python_version(), **{name: version(name) for name in packages}},
    }
    results = record_of(Results, found)
    watched(stages - 1, "Drawing")
    save_results(results, out)
    write_report(results, out)
    watched(stages, "Done")
    return results


class _Parts:
    """What was measured already, for this material."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder, self._fingerprint = folder, fingerprint

    def get(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The part, from its file or made now."""
        path = self._folder / f"{name}.json"
        try:
            kept = read_json(path)
            if kept["fingerprint"] == self._fingerprint:
                part: dict[str, Any] = kept["part"]
                return part
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not there yet, or damaged: it is made
        write_json_atomic(path, {"fingerprint": self._fingerprint, "part": make()})
        made: dict[str, Any] = read_json(path)["part"]
        return made


def _floor_part(material: Material) -> dict[str, Any]:
    floor, ngram = measure_floor(material.songs)
    firsts = Counter(song.events[0].name for song in material.split("train"))
    start = NameIds(material.songs).id_of(firsts.most_common(1)[0][0])
    played = _played(lambda heat, seed: ngram.generate([start], SONG_NOTES, heat, seed), SEEDS)
    return {
        "floor": asdict(floor),
        "leak": asdict(split_leak(material.songs, material.families, floor.order)),
        "ngram_distinct": played["distinct"],
        "ngram_notes_per_second": played["notes_per_second"],
    }


def _played(play: Callable[[float, int], Sequence[object]], seeds: Sequence[int]) -> dict[str, Any]:
    """Different notes by temperature, and notes per second of processor time.

    Args:
        play: the notes of a song, by its temperature and seed.
    """
    started = time.process_time()
    distinct = {
        f"{temperature:g}": float(median(len(set(play(temperature, seed))) for seed in seeds))
        for temperature in FIGURE_TEMPERATURES
    }
    notes = len(FIGURE_TEMPERATURES) * len(seeds) * SONG_NOTES
    seconds = time.process_time() - started
    return {"distinct": distinct, "notes_per_second": notes / max(seconds, 1e-9)}


def _system_part(
    entry: Entry, material: Material, out: Path, parts: _Parts, watch: Watch
) -> dict[str, Any]:
    """Train a network, and measure the best of its epochs."""
    folder = out / "runs" / entry.name

    def told(step: TrainingStep) -> None:
        done = (step.epoch - 1) * step.steps + step.step
        watch(f"Training {entry.label}", done / (step.epochs * step.steps))

    train_entry(entry, material.songs, material.corpus, folder, material.quick, told)
    checkpoint, epochs = trained(folder)
    network, tokenizer = checkpoint.network, checkpoint.tokenizer
    longest = longest_song(material.songs)

    def score(split: str, way: str) -> dict[str, Any]:
        looped_to = longest if way == "looped" else None
        return asdict(
            NoteScore.of(score_network(network, tokenizer, material.split(split), looped_to))
        )

    # kept one by one: of a large network each takes a while
    scores = {
        split: {
            way: NoteScore(
                **parts.get(f"score-{entry.name}-{split}-{way}", partial(score, split, way))
            )
            for way in WAYS
        }
        for split in SPLITS
    }
    model = NotesModel(entry.name, checkpoint)

    def play(temperature: float, seed: int) -> Sequence[str]:
        request = GenerationRequest(notes=SONG_NOTES, temperature=temperature, seed=seed)
        return model.generate(request).notes

    seeds = SEEDS[:1] if material.quick else SEEDS
    words = tokenizer.settings
    told_of = [name for name, on in (("genre", words.prime), ("times", words.times)) if on]
    plain = not (words.prime or words.times or words.ends)
    curve = read_curve(folder)
    seconds = [point.cpu_seconds for point in curve if point.cpu_seconds]
    result = SystemResult(
        name=entry.name,
        label=entry.label,
        group=entry.group,
        note=entry.note,
        parameters=sum(weight.numel() for weight in network.parameters()),
        words=" and ".join(["strings", *told_of]),
        epochs=epochs,
        best_epoch=int(checkpoint.facts.results["epoch"]),
        asked_epochs=entry.asked_epochs,
        paper_accuracy=entry.paper_accuracy,
        scores=scores,
        authors_accuracy=authors_accuracy(
            network, tokenizer, material.split("validation"), longest
        ) if plain else None,
        cpu_seconds=median(seconds) if seconds else None,
        **parts.get(f"played-{entry.name}", lambda: _played(play, seeds)),
    )  # fmt: skip
    points = [asdict(point) for point in curve] if entry.every_epoch else []
    return {"system": asdict(result), "curve": points}


def _songs(parts: _Parts, material: Material, out: Path) -> dict[str, Any]:
    """What both networks play: kept step by step, for it takes minutes."""
    held_out = material.split("validation")
    begun = [song for song in held_out if len(song.events) > max(OPENINGS)] or held_out
    begun = begun[: 4 if material.quick else OPENING_SONGS]
    length = round(median(len(song.events) for song in held_out))

    def songs_part(name: str, checkpoint: NoteCheckpoint) -> dict[str, Any]:
        songs = (make_song(name, checkpoint, heat, FIGURE_SEED) for heat in FIGURE_TEMPERATURES)
        return {
            "songs": [asdict(song) for song in songs],
            "openings": [asdict(play_on(name, checkpoint, begun, given)) for given in OPENINGS],
            "fresh": fresh_songs(name, checkpoint, length),
        }

    def heat_part(name: str, checkpoint: NoteCheckpoint, temperature: float) -> dict[str, Any]:
        return asdict(heat_at(name, checkpoint, held_out, temperature, SEEDS[:1]))

    def greedy_part(checkpoint: NoteCheckpoint) -> dict[str, Any]:
        return {"greedy": greedy_by_genre(BEST, checkpoint)}

    found: dict[str, Any] = {"songs": [], "heat": {}, "openings": [], "fresh": {}}
    for name in (FINAL, BEST):
        checkpoint = load_note_model(out / "runs" / name / "model")
        played = parts.get(f"songs-{name}", partial(songs_part, name, checkpoint))
        for key in ("songs", "openings"):
            found[key] += played[key]
        found["fresh"][name] = played["fresh"]
        found["heat"][name] = [
            parts.get(f"heat-{name}-{heat:g}", partial(heat_part, name, checkpoint, heat))
            for heat in (QUICK_TEMPERATURES if material.quick else HEAT_TEMPERATURES)
        ]
        if name == BEST:
            found |= parts.get("greedy", partial(greedy_part, checkpoint))
    return found


def _figure5_part(songs: Sequence[dict[str, Any]], drum_map: DrumMap) -> dict[str, Any]:
    """A segment of the paper's song at temperature 1, and of ours."""
    from dj_core.sound.engraving import music_xml, staff_svg

    drawn = {}
    for key, name in (("paper", FINAL), ("best", BEST)):
        kept = next(song for song in songs if song["model"] == name and song["temperature"] == 1)
        beat = beat_of(record_of(KeptSong, kept), drum_map)
        xml = music_xml(beat, 0, min(FIGURE_5_BARS, beat.bars))
        drawn[key] = {"xml": xml.decode(), "svg": staff_svg(xml)}
    return {"figure5": drawn}
