"""Runs the whole reproduction, part by part, and can be resumed.

Everything is written to one folder::

    parts/NAME.json      what was measured, a file a part; a part that is there is not made again
    runs/NAME-SEED/      a training run per network and seed, resumed where it stopped
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
from dj_core.models.notes.note_checkpoint import NoteCheckpoint
from dj_core.models.notes.note_player import NotesModel
from dj_core.models.request import GenerationRequest
from dj_core.models.run_folder import TrainingStep
from dj_core.music.drums import DrumMap
from dj_core.paper.facts import NameIds, corpus_facts, measure_floor, split_leak
from dj_core.paper.paper_report import write_report
from dj_core.paper.plan import BEST, FINAL, PLAN, QUICK_SONGS, Entry
from dj_core.paper.results import SPLITS, WAYS, Results, SeedRun, save_results
from dj_core.paper.scoring import NoteScore, authors_accuracy, longest_song, score_network
from dj_core.paper.songs import (
    FIGURE_SEED,
    FIGURE_TEMPERATURES,
    OPENING_SONGS,
    OPENINGS,
    SAMPLE_GIVEN,
    SAMPLE_NOTES,
    SAMPLE_SONGS,
    SEEDS,
    SONG_NOTES,
    KeptSong,
    beat_of,
    drummers_song,
    fresh_songs,
    greedy_after,
    make_song,
    take_samples,
    temperature_point,
)
from dj_core.paper.structure import cell_speeds, keep_the_form
from dj_core.paper.training_runs import epochs_of, read_curve, train_entry, trained

TEMPERATURES = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
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
    planned = [
        (entry, seed)
        for seed in range(1, max(entry.seeds for entry in PLAN) + 1)
        for entry in PLAN
        if seed <= (1 if material.quick else entry.seeds)
    ]
    stages = len(planned) + 4

    def watched(stage: int, doing: str, done: float = 0.0) -> None:
        watch(doing, round((stage + done) / stages, 6))

    watched(0, "Counting")
    found = parts.get("corpus", lambda: {"facts": asdict(corpus_facts(material.songs))})
    found |= parts.get("floor", lambda: _floor_part(material))
    runs: dict[str, list[dict[str, Any]]] = {}
    curves = {}
    for stage, (entry, seed) in enumerate(planned, start=1):
        made = _run_part(entry, seed, material, out, parts, partial(watched, stage))
        runs.setdefault(entry.name, []).append(made)
        if entry.every_epoch and seed == 1:
            curve = read_curve(out / "runs" / f"{entry.name}-{seed}")
            curves[entry.name] = [asdict(point) for point in curve]
    watched(stages - 3, "Generating songs")
    begun = _songs_to_begin(material, SAMPLE_GIVEN, SAMPLE_SONGS)
    systems = [
        {
            "runs": runs[entry.name],
            **parts.get(
                f"system-{entry.name}-{runs[entry.name][0]['epochs']}",
                partial(_system_part, entry, material, begun, out),
            ),
        }
        for entry in PLAN
    ]
    found |= parts.get("continued", partial(_continued_part, material, begun[0]))
    found |= _songs(parts, material, out)
    watched(stages - 2, "Twelve bars")
    found |= parts.get("form", lambda: {"form": [asdict(f) for f in keep_the_form(material.quick)]})
    found |= parts.get(
        "speeds", partial(_speeds_part, found["facts"]["vocabulary"], material.quick)
    )
    found |= _figure5_part(found["songs"], material.drum_map)
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
    played = _played(lambda at, seed: ngram.generate([start], SONG_NOTES, at, seed), SEEDS)
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


def _run_part(
    entry: Entry, seed: int, material: Material, out: Path, parts: _Parts, watch: Watch
) -> dict[str, Any]:
    """Train a network with one seed, and measure the best of its epochs."""
    folder = out / "runs" / f"{entry.name}-{seed}"

    def told(step: TrainingStep) -> None:
        done = (step.epoch - 1) * step.steps + step.step
        watch(f"Training {entry.label}, seed {seed}", done / (step.epochs * step.steps))

    train_entry(entry, seed, material.songs, material.corpus, folder, material.quick, told)
    key = f"{entry.name}-{seed}-{epochs_of(folder)}"  # a run that went on is measured anew
    longest = longest_song(material.songs)

    def measure() -> dict[str, Any]:
        checkpoint, epochs = trained(folder)
        network, tokenizer = checkpoint.network, checkpoint.tokenizer
        words, best = tokenizer.settings, int(checkpoint.facts.results["epoch"])
        budget = 1 if material.quick else entry.epochs
        waited = entry.patience is not None and epochs - best >= entry.patience
        held_out = material.split("validation")
        plain = not (words.prime or words.times or words.ends)
        right = authors_accuracy(network, tokenizer, held_out, longest) if plain else None
        scores = {
            split: {
                way: NoteScore.of(
                    score_network(
                        network, tokenizer, material.split(split),
                        longest if way == "looped" else None,
                    )
                )
                for way in WAYS
            }
            for split in SPLITS
        }  # fmt: skip
        ended = "budget" if epochs >= budget else "patience" if waited else "stopped"
        return asdict(SeedRun(seed, epochs, best, ended, scores, right))

    return parts.get(f"run-{key}", measure)


def _system_part(
    entry: Entry, material: Material, begun: Sequence[NoteSong], out: Path
) -> dict[str, Any]:
    """What is measured of the first seed's network alone: its speed, and what it generates."""
    folder = out / "runs" / f"{entry.name}-1"
    checkpoint, _ = trained(folder)
    model = NotesModel(entry.name, checkpoint)

    def play(temperature: float, seed: int) -> Sequence[str]:
        request = GenerationRequest(notes=SONG_NOTES, temperature=temperature, seed=seed)
        return model.generate(request).notes

    seconds = [point.cpu_seconds for point in read_curve(folder) if point.cpu_seconds]
    fields = ("name", "label", "group", "note", "published", "paper_accuracy")
    return {
        **{name: getattr(entry, name) for name in fields},
        "budget": entry.epochs,
        "parameters": sum(weight.numel() for weight in checkpoint.network.parameters()),
        "cpu_seconds": median(seconds) if seconds else None,
        **_played(play, SEEDS[:1] if material.quick else SEEDS),
        "samples": asdict(
            take_samples(entry.name, checkpoint, material.split("validation"), begun)
        ),
    }


def _speeds_part(vocabulary: int, quick: bool) -> dict[str, Any]:
    return {"speeds": [asdict(speed) for speed in cell_speeds(vocabulary, quick)]}


def _continued_part(material: Material, song: NoteSong) -> dict[str, Any]:
    """The song that every system continues, and the n-gram's continuation of it."""
    ids = NameIds(material.songs)
    _, ngram = measure_floor(material.songs)
    words = ngram.generate(ids.of(song)[:SAMPLE_GIVEN], SAMPLE_NOTES, 1.0, FIGURE_SEED)
    notes = tuple(ids.names[word] for word in words)
    distinct = len(set(notes[SAMPLE_GIVEN:]))
    sample = KeptSong("n-gram", 1.0, FIGURE_SEED, notes, distinct)
    return {"drummer": asdict(drummers_song(song)), "ngram_sample": asdict(sample)}


def _songs_to_begin(material: Material, given: int, count: int) -> list[NoteSong]:
    """The first validation songs that have more than `given` notes; any, where none has."""
    held_out = material.split("validation")
    longer = [song for song in held_out if len(song.events) > given] or held_out
    return longer[: 2 if material.quick else count]


def _songs(parts: _Parts, material: Material, out: Path) -> dict[str, Any]:
    """What the paper's network and ours generate: kept step by step, for it takes minutes."""
    held_out = material.split("validation")
    begun = _songs_to_begin(material, max(OPENINGS), OPENING_SONGS)
    length = round(median(len(song.events) for song in held_out))

    def songs_part(name: str, checkpoint: NoteCheckpoint) -> dict[str, Any]:
        songs = (make_song(name, checkpoint, at, FIGURE_SEED) for at in FIGURE_TEMPERATURES)
        return {
            "songs": [asdict(song) for song in songs],
            "openings": [
                asdict(greedy_after(name, checkpoint, begun, given)) for given in OPENINGS
            ],
            "fresh": fresh_songs(name, checkpoint, length),
        }

    def temperature_part(name: str, checkpoint: NoteCheckpoint, at: float) -> dict[str, Any]:
        return asdict(temperature_point(name, checkpoint, held_out, at, SEEDS[:1]))

    found: dict[str, Any] = {"songs": [], "temperatures": {}, "openings": [], "fresh": {}}
    for name in (FINAL, BEST):
        checkpoint, epochs = trained(out / "runs" / f"{name}-1")
        played = parts.get(f"songs-{name}-{epochs}", partial(songs_part, name, checkpoint))
        for key in ("songs", "openings"):
            found[key] += played[key]
        found["fresh"][name] = played["fresh"]
        found["temperatures"][name] = [
            parts.get(
                f"temperature-{name}-{epochs}-{at:g}",
                partial(temperature_part, name, checkpoint, at),
            )
            for at in (QUICK_TEMPERATURES if material.quick else TEMPERATURES)
        ]
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
