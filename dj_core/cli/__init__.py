"""The command line: every verb works without a screen and without a network.

With ``--json`` the last line on stdout is one JSON object. Exit codes: 0 done, 1 a problem said
in one sentence on stderr, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from dj_core.errors import DigitalDJError
from dj_core.host.extras import missing_extra
from dj_core.host.operating_system import write_everything
from dj_core.product import VERSION

if TYPE_CHECKING:
    from dj_core.cli.verb import Verb

VERBS = {
    "serve": ("serving.serve", "serve the app and open the browser"),
    "import": ("corpora.import_files", "make a folder, zip or file a corpus"),
    "inspect": ("inspecting.inspect", "show what is made of one MIDI file"),
    "corpora": ("corpora.list_corpora", "list the corpora"),
    "models": ("corpora.list_models", "list the models"),
    "send": ("moving.send", "copy a corpus or a run to any address"),
    "fetch": ("moving.fetch", "bring back a corpus or a run that was sent"),
    "train": ("training.train", "train a model on one or more corpora"),
    "generate": ("generating.generate", "write beats as MIDI files"),
    "vary": ("shape_verbs.vary_beat", "play a beat again around what is kept"),
    "adjust": ("shape_verbs.adjust_beat", "make a beat denser, swing more, and so on"),
    "continue": ("shape_verbs.continue_from", "go on from a beat, or from a bar of it"),
    "fill": ("shape_verbs.fill_beat", "end phrases with a fill that leads back to one"),
    "humanize": ("shape_verbs.humanize", "give a stiff beat a drummer's feel"),
    "tighten": ("shape_verbs.tighten_beat", "draw strokes to the grid by degree"),
    "alive": ("shape_verbs.make_alive", "give every hit the chance that the model gives it"),
    "tap": ("shape_verbs.tap", "make a full beat of a rhythm, or of one drum"),
    "morph": ("shape_verbs.morph_beats", "go from one beat to another in steps"),
    "song": ("shape_verbs.grow_song", "grow a song form from one seed or one beat"),
    "like": ("hearing.like", "find beats in the crate and the collections that sound like a file"),
    "nearest": ("shape_verbs.nearest_bars", "find the nearest training bar of every bar"),
    "evaluate": ("evaluating.evaluate", "examine a model beside real drummers"),
    "render": ("rendering.render", "play a MIDI file into a sound file"),
    "kits": ("kit_verbs.list_kits", "list the drum kits"),
    "kit": ("kit_verbs.write_kit", "write a kit's drums as WAV files"),
    "kit-import": ("kit_verbs.import_one_shots", "make a kit of one-shots of one's own"),
    "one-shots": ("rendering.one_shots", "write a kit's drums one by one"),
    "check-loop": ("rendering.check_loops", "measure loops: length, tempo, seam"),
    "set": ("packing.make_set", "put beats in order as a set"),
    "pack": ("packing.make_pack", "put a set into one zip for the booth"),
    "jam": ("jam_verb.jam", "perform a jam that follows an energy curve"),
    "paper": ("reproducing.paper", "reproduce the paper's tables and figures"),
    "listen": ("hearing.listen", "find tempo, beats, groove and sections of a track"),
    "transcribe": ("hearing.transcribe_file", "write the drums of a sound file as MIDI"),
    "match": ("hearing.match", "write drums that fit a track: loops, and a file of its length"),
    "bridge": (
        "collecting.bridge_tracks",
        "write drums that lead from one track to another: groove and tempo glide",
    ),
    "collection": (
        "collecting.use_collection",
        "read a rekordbox collection; write an intro, a loop and an outro for chosen tracks",
    ),
    "version": ("serving.version", "say which version this is, and where its files lie"),
}
"""In the order the help lists them: name → where the verb is, and what it does.

Only the verb that is asked for is imported: most of a start is imports.
"""


def verb_named(name: str) -> Verb:
    """A verb of the table."""
    module, _, function = VERBS[name][0].partition(".")
    found: Verb = getattr(import_module(f"dj_core.cli.{module}"), function)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb, `serve` where none is named; returns the exit code."""
    given = sys.argv[1:] if arguments is None else [str(one) for one in arguments]
    write_everything(sys.stdout, sys.stderr)
    parser = argparse.ArgumentParser(
        prog="digital-dj" if Path(sys.argv[0]).stem == "digital-dj" else "python -m dj_core",
        description="Digital DJ: corpora, models and beats. Without a verb it serves the app.",
    )
    parser.add_argument("--version", action="version", version=f"digital-dj {VERSION}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    given = given or ["serve"]
    for name, (_, brief) in VERBS.items():
        if name == given[0]:
            verb_named(name).add_to(verbs)
        else:
            verbs.add_parser(name, help=brief)
    options = parser.parse_args(given)
    started = time.perf_counter()
    try:
        answer = options.verb.run(options)
    except DigitalDJError as error:
        print(f"digital-dj: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (sentence := missing_extra(error)) is None:
            raise
        print(f"digital-dj: {sentence}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("digital-dj: stopped.", file=sys.stderr)
        return 130
    if options.verb.timed:
        answer["seconds"] = round(time.perf_counter() - started, 3)
    if options.json:
        print(json.dumps(answer, ensure_ascii=False), flush=True)
    return 0
