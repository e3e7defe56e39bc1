"""The command line: every verb works without a screen and without a network.

With ``--json`` the last line on stdout is one JSON object. Exit codes: 0 done, 1 a problem said
in one sentence on stderr, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dj_core.beat import Beat, Meter
from dj_core.errors import DigitalDJError, GenerationError, TrainingError
from dj_core.genres import genre_name
from dj_core.library import DEFAULT_NOTES_MODEL, Library

if TYPE_CHECKING:
    from dj_core.notation import NoteSong
    from dj_core.training import TrainingStep

Answer = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        answer = options.answer(options)
    except DigitalDJError as error:
        print(f"digital-dj: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("digital-dj: stopped.", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(answer, ensure_ascii=False), flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dj_core", description="Digital DJ: corpora, models and beats."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_import(verbs)
    _add_verb(verbs, "corpora", "list the corpora", _run_corpora)
    _add_verb(verbs, "models", "list the models", _run_models)
    _add_train(verbs)
    _add_generate(verbs)
    _add_render(verbs)
    return parser


def _add_verb(
    verbs: Any,  # noqa: ANN401 - argparse keeps the type of its sub-parsers private
    name: str,
    purpose: str,
    answer: Callable[[argparse.Namespace], Answer],
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
    verb.add_argument("--json", action="store_true", help="end with one JSON object on stdout")
    verb.set_defaults(answer=answer)
    return verb


# --- import, corpora, models ------------------------------------------------------------------


def _add_import(verbs: Any) -> None:  # noqa: ANN401
    verb = _add_verb(verbs, "import", "make a folder, zip or file a corpus", _run_import)
    verb.add_argument("path", type=Path)
    verb.add_argument("--name", required=True, help="what the corpus is called")
    verb.add_argument(
        "--drum-map",
        choices=["general-midi", "extended"],
        help="how note numbers become drums (default: found out from the files)",
    )


def _run_import(options: argparse.Namespace) -> Answer:
    started = time.perf_counter()
    with _Bar("Importing", "file") as bar:
        report = Library.open().import_corpus(
            options.path, options.name, drum_map=options.drum_map, progress=bar.show
        )
    accepted = set(report.accepted)
    files = [file for file in report.corpus.files if file.name in accepted]
    genres: dict[str, int] = {}
    for file in files:
        genres[file.genre] = genres.get(file.genre, 0) + 1
    _say(f"{len(files)} files in corpus {options.name!r}, {len(report.skipped)} skipped.")
    for skipped in report.skipped:
        _say(f"  skipped {skipped.file}: {skipped.reason}")
    return {
        "name": options.name,
        "files": len(files),
        "genres": dict(sorted(genres.items())),
        "bars": sum(file.bars for file in files),
        "skipped": [{"file": item.file, "reason": item.reason} for item in report.skipped],
        "seconds": round(time.perf_counter() - started, 3),
    }


def _run_corpora(options: argparse.Namespace) -> Answer:
    corpora = Library.open().corpora()
    for corpus in corpora:
        _say(f"{corpus.name}: {len(corpus.files)} files, {corpus.bars} bars")
    return {
        "corpora": [
            {
                "name": corpus.name,
                "files": len(corpus.files),
                "bars": corpus.bars,
                "genres": corpus.genres,
            }
            for corpus in corpora
        ]
    }


def _run_models(options: argparse.Namespace) -> Answer:
    library = Library.open()
    models = library.models()
    for model in models:
        _say(f"{model.name}{' (default)' if model.default else ''}: {', '.join(model.genres)}")
    broken = library.broken_models()
    for model in broken:
        print(f"digital-dj: {model.folder.name} is left out. {model.reason}", file=sys.stderr)
    return {
        "models": [
            {
                "name": model.name,
                "family": model.family,
                "default": model.default,
                "genres": list(model.genres),
                "shipped": model.shipped,
            }
            for model in models
        ],
        "broken": [{"folder": str(item.folder), "reason": item.reason} for item in broken],
    }


# --- train ------------------------------------------------------------------------------------


def _add_train(verbs: Any) -> None:  # noqa: ANN401
    verb = _add_verb(verbs, "train", "train a model on one or more corpora", _run_train)
    verb.add_argument("--corpus", action="append", help="a corpus by name; may be repeated")
    verb.add_argument("--preset", help="which network and schedule; see docs/models.md")
    verb.add_argument("--run", help="name of the run, and of the model it makes")
    verb.add_argument("--resume", action="store_true", help="go on with the run where it stopped")
    verb.add_argument("--epochs", type=int)
    verb.add_argument("--learning-rate", type=float)
    verb.add_argument("--batch-size", type=int)
    verb.add_argument("--hidden", type=int)
    verb.add_argument("--layers", type=int)
    verb.add_argument("--dropout", type=float)
    verb.add_argument("--seed", type=int)
    verb.add_argument(
        "--all-data", action="store_true", help="train on every file, as the paper's last step"
    )


def _run_train(options: argparse.Namespace) -> Answer:
    from dj_core.training import read_settings, settings_from, stop_on_signals, train

    library = Library.open()
    if options.resume:
        if not options.run:
            raise TrainingError("--resume needs --run NAME, the run to go on with.")
        folder = library.run_folder(options.run)
        settings = read_settings(folder)
        if options.epochs:
            settings = replace(settings, epochs=options.epochs)
    else:
        if not options.corpus or not options.preset:
            raise TrainingError("A new run needs --corpus NAME and --preset NAME.")
        settings = settings_from(
            options.preset,
            corpora=tuple(options.corpus),
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            batch_size=options.batch_size,
            hidden=options.hidden,
            layers=options.layers,
            dropout=options.dropout,
            seed=options.seed,
            all_data=options.all_data or None,
        )
        folder = library.run_folder(options.run or _free_run_name(library, options.preset))
    songs = _songs(library, settings.corpora)
    last = None
    with _Bar("Training", "step") as bar, stop_on_signals() as should_stop:
        steps = train(settings, songs, folder, resume=options.resume, should_stop=should_stop)
        for last in steps:
            done = (last.epoch - 1) * last.steps + last.step
            bar.show(done, last.epochs * last.steps, _standing(last))
    if last is None:
        raise TrainingError(f"Run {folder.name!r} had nothing left to do.")
    _say(f"{folder.name}: {'finished' if last.finished else 'stopped'}, {_standing(last)}")
    return {
        "run": folder.name,
        "epochs": last.epoch,
        "finished": last.finished,
        "train_loss": last.train_loss,
        "validation_loss": last.validation_loss,
        "train_accuracy": last.train_accuracy,
        "validation_accuracy": last.validation_accuracy,
        "seconds": round(last.seconds, 3),
    }


def _songs(library: Library, corpora: Sequence[str]) -> list[NoteSong]:
    """The note strings of the corpora, read by music21 where that was not done before."""
    from dj_core.notation import note_songs

    songs: list[NoteSong] = []
    for name in corpora:
        with _Bar(f"Reading the notes of {name}", "file") as bar:
            songs += note_songs(library.corpus(name), bar.show)
    return songs


def _standing(step: TrainingStep) -> str:
    words = f"epoch {step.epoch}/{step.epochs}, loss {step.train_loss:.3f}"
    if step.validation_loss is not None:
        words += f", validation {step.validation_loss:.3f}"
    return words


def _free_run_name(library: Library, preset: str) -> str:
    taken = {run.name for run in library.runs()} | {model.name for model in library.models()}
    return next(name for name in (f"{preset}-{n}" for n in itertools.count(1)) if name not in taken)


# --- generate ---------------------------------------------------------------------------------


def _add_generate(verbs: Any) -> None:  # noqa: ANN401
    verb = _add_verb(verbs, "generate", "write beats as MIDI files", _run_generate)
    verb.add_argument("--model", help="a model by name (default: the shipped one)")
    verb.add_argument("--genre", default="")
    verb.add_argument("--tempo-bpm", type=float)
    length = verb.add_mutually_exclusive_group()
    length.add_argument("--bars", type=int, help="length in bars (default 4)")
    length.add_argument("--notes", type=int, help="length in notes, chords and rests")
    verb.add_argument("--meter", type=_meter, default=Meter(), help="as in 4/4")
    verb.add_argument("--temperature", type=float, default=1.0, help="0 always takes the likeliest")
    verb.add_argument("--top-p", type=float, default=1.0)
    verb.add_argument("--seed", type=int, default=1)
    verb.add_argument("--count", type=_positive, default=1, help="how many; seeds count up")
    verb.add_argument("--start", type=Path, help="begin with the first note of this MIDI file")
    verb.add_argument("--start-note", help="begin with this note or chord, as in 'C2 F#2'")
    verb.add_argument(
        "--spacing",
        choices=["learned", "fixed"],
        help="rhythm as learned, or half a quarter a note as in the paper",
    )
    verb.add_argument("--as-in-corpus", action="store_true", help="keep the corpus's note numbers")
    verb.add_argument("--out", type=Path, required=True, help="folder for the files")


def _run_generate(options: argparse.Namespace) -> Answer:
    from dj_core.midi import save_midi
    from dj_core.naming import beat_stem
    from dj_core.sampling import GenerationRequest, load_model

    started = time.perf_counter()
    bars = 4 if options.bars is None and options.notes is None else options.bars
    request = GenerationRequest(
        genre=genre_name(options.genre),
        tempo_bpm=options.tempo_bpm,
        meter=options.meter,
        bars=bars,
        notes=options.notes,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
        start_note=options.start_note or _first_note(options.start),
        spacing=options.spacing,
    )
    note_by_note = options.notes or options.start or options.start_note or options.spacing
    name = options.model or (DEFAULT_NOTES_MODEL if note_by_note else None)
    model = load_model(Library.open().model(name).folder)
    choice = "as-in-corpus" if options.as_in_corpus else "general-midi"
    files: list[str] = []
    distinct: list[int] = []
    with _Bar("Generating", "beat") as bar:
        for number in range(options.count):
            take = model.generate(replace(request, seed=options.seed + number))
            path = options.out / f"{beat_stem(take.beat)}.mid"
            files.append(str(save_midi(take.beat, path, choice)))
            distinct.append(take.distinct_notes)
            bar.show(number + 1, options.count)
    for file in files:
        _say(file)
    return {
        "model": model.name,
        "files": files,
        "distinct_notes": distinct,
        "seconds": round(time.perf_counter() - started, 3),
    }


def _first_note(path: Path | None) -> str | None:
    """The first note or chord of a MIDI file as a note string, or None without a file."""
    if path is None:
        return None
    from dj_core.midi import read_midi
    from dj_core.notation import read_note_events

    read_midi(path)  # music21 never sees a file that was not checked
    for event in read_note_events(path):
        if event.name != "rest":
            return event.name
    raise GenerationError(f"{path.name} holds no note to start on. Choose another file.")


# --- render -----------------------------------------------------------------------------------


def _add_render(verbs: Any) -> None:  # noqa: ANN401
    verb = _add_verb(verbs, "render", "play a MIDI file into a WAV file", _run_render)
    verb.add_argument("file", type=Path)
    verb.add_argument("--out", type=Path, required=True, help="the .wav file to write")
    verb.add_argument("--kit", default="standard", help="as in tr-808; see docs/sound.md")
    verb.add_argument("--soundfont", type=Path, help="an .sf2 file (default: the best one found)")
    verb.add_argument("--tempo-bpm", type=float, help="play at another tempo")
    verb.add_argument("--loop", action="store_true", help="wrap the last hits' tails to the start")


def _run_render(options: argparse.Namespace) -> Answer:
    from dj_core.midi import read_midi
    from dj_core.render import peak_dbfs, render, save_wav

    beat: Beat = read_midi(options.file)
    if options.tempo_bpm is not None:
        beat = beat.at_tempo(options.tempo_bpm)
    audio = render(beat, options.kit, soundfont=options.soundfont, loop=options.loop)
    save_wav(audio, options.out)
    _say(f"{options.out}: {beat.bars} bars, {beat.duration_seconds:.2f} s")
    return {
        "file": str(options.out),
        "frames": len(audio.samples),
        "sample_rate": audio.sample_rate,
        "peak_dbfs": round(peak_dbfs(audio), 2),
    }


# --- words and bars ---------------------------------------------------------------------------


def _say(text: str) -> None:
    print(text, flush=True)


def _meter(text: str) -> Meter:
    try:
        return Meter.parse(text)
    except DigitalDJError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"a whole number from 1 on is needed; got {text!r}")
    return int(text)


class _Bar:
    """A progress bar on stderr, only where somebody watches."""

    def __init__(self, doing: str, unit: str) -> None:
        self._doing, self._unit = doing, unit

    def __enter__(self) -> _Bar:
        from tqdm import tqdm

        self._bar = tqdm(desc=self._doing, unit=self._unit, disable=None, leave=False)
        return self

    def show(self, done: int, total: int, words: str = "") -> None:
        """`done` of `total`, with a few words behind the bar."""
        self._bar.total = total
        self._bar.set_postfix_str(words, refresh=False)
        self._bar.update(done - self._bar.n)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
