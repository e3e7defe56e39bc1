"""The command line: every verb works without a screen and without a network.

With ``--json`` the last line on stdout is one JSON object. Exit codes: 0 done, 1 a problem said
in one sentence on stderr, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from dj_core.cli.corpora import add_corpora, add_import, add_models
from dj_core.cli.evaluating import add_evaluate
from dj_core.cli.generating import add_generate
from dj_core.cli.inspecting import add_inspect
from dj_core.cli.moving import add_fetch, add_send
from dj_core.cli.packing import add_pack, add_set
from dj_core.cli.rendering import add_check_loop, add_one_shots, add_render
from dj_core.cli.reproducing import add_paper
from dj_core.cli.shape_verbs import add_shaping
from dj_core.cli.training import add_train
from dj_core.errors import DigitalDJError

# in the order the help lists them
VERBS = (
    add_import,
    add_inspect,
    add_corpora,
    add_models,
    add_send,
    add_fetch,
    add_train,
    add_generate,
    add_shaping,
    add_evaluate,
    add_render,
    add_one_shots,
    add_check_loop,
    add_set,
    add_pack,
    add_paper,
)


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
    for add in VERBS:
        add(verbs)
    return parser
