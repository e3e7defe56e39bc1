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

from dj_core.cli.corpora import import_files, list_corpora, list_models
from dj_core.cli.evaluating import evaluate
from dj_core.cli.generating import generate
from dj_core.cli.hearing import listen, match
from dj_core.cli.inspecting import inspect
from dj_core.cli.jamming import jam
from dj_core.cli.kit_verbs import import_one_shots, list_kits, write_kit
from dj_core.cli.moving import fetch, send
from dj_core.cli.packing import make_pack, make_set
from dj_core.cli.rendering import check_loops, one_shots, render
from dj_core.cli.reproducing import paper
from dj_core.cli.shape_verbs import SHAPING
from dj_core.cli.training import train
from dj_core.errors import DigitalDJError
from dj_core.host.operating_system import write_everything

# in the order the help lists them
VERBS = (
    import_files, inspect, list_corpora, list_models, send, fetch, train, generate, *SHAPING,
    evaluate, render, list_kits, write_kit, import_one_shots, one_shots, check_loops, make_set,
    make_pack, jam, paper, listen, match,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dj_core", description="Digital DJ: corpora, models and beats."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        verb.add_to(verbs)
    write_everything(sys.stdout, sys.stderr)
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    try:
        answer = options.verb.run(options)
    except DigitalDJError as error:
        print(f"digital-dj: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("digital-dj: stopped.", file=sys.stderr)
        return 130
    if options.verb.timed:
        answer["seconds"] = round(time.perf_counter() - started, 3)
    if options.json:
        print(json.dumps(answer, ensure_ascii=False), flush=True)
    return 0
