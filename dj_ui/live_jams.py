"""A visitor's jam: its phrases, made when the browser asks for them."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dj_core.errors import BeatError, DigitalDJError
from dj_core.live.jam_bar import NUMBERS, PHRASE_BARS, Phrase
from dj_core.live.performance import MAX_JAM_BARS, JamPlan, level_of, role_of
from dj_core.live.phrases import PhraseMaker
from dj_core.models.request import FOUR_FOUR, BeatModel
from dj_core.music.beat import DEFAULT_TEMPO_BPM, Beat, Hit, Provenance
from dj_core.music.genres import genre_label
from dj_ui.deck.payload import MOST_HITS
from dj_ui.turns import quiet_turn

ADDRESS = "/jam"
SECTIONS = ("break", "build", "drop")
LONGEST_WAIT_SECONDS = 10.0  # in line; the browser has two phrases in hand and asks again
PHRASES_KEPT = 4  # that the browser may ask for once more
PHRASES_HELD = 32  # that can be had whole: the 128 bars that can be kept, and those of the pads
_THREADS = ThreadPoolExecutor(4, "jam")
_known: weakref.WeakValueDictionary[str, LiveJam] = weakref.WeakValueDictionary()


class LiveJam:
    """A jam under way; it is forgotten with this object.

    Attributes:
        address: where its phrases are; whoever knows it may have them.
        plan: its styles, tempo, energy curve and seed.
    """

    def __init__(self, model: BeatModel, plan: JamPlan, who: str) -> None:
        """
        Args:
            model: a groove model.
            plan: what it shall be; its length is that of the curve, which then begins again.
            who: the visitor, as `visiting.visitor` says.

        Raises:
            GenerationError: a model that cannot go on from a beat, or genres it does not know.
        """
        self.plan, self._who = plan, who
        self._maker = PhraseMaker(model, plan.genres, plan.seed, plan.tempo_bpm)
        self._lock = threading.Lock()
        self._answers: dict[int, bytes] = {}
        self._told: dict[int, dict[str, Any]] = {}  # what made each phrase
        self._held: dict[int, Phrase] = {}
        self._origin = Provenance()
        token = secrets.token_urlsafe(24)
        _known[token] = self
        self.address = f"{ADDRESS}/{token}"

    @property
    def tempo_bpm(self) -> float:
        """What it plays at."""
        return self._maker.tempo_bpm or DEFAULT_TEMPO_BPM

    @property
    def name(self) -> str:
        """What the display and the crate call it."""
        return f"Jam · {' to '.join(genre_label(genre) for genre in self.plan.genres)}"

    def payload(self) -> dict[str, Any]:
        """What the browser has to know."""
        return {
            "address": self.address,
            "name": self.name,
            "sides": [genre_label(genre) for genre in self.plan.genres],
            "tempo": self.tempo_bpm,
            "curve": list(self.plan.energy),
            "curveBars": self.plan.bars,
            "numbers": {**NUMBERS, "bars": PHRASE_BARS, "barQuarters": FOUR_FOUR.bar_quarters},
        }

    def answer(self, number: int, asked: Mapping[str, str]) -> bytes | None:
        """Phrase `number` as JSON, made now if it is the next. None where others come first.

        Args:
            number: how many were made before.
            asked: 'section' for a phrase that waits for its pad; 'bar' for what the plan has
                there; 'energy' of 0 to 1.
        """
        with self._lock:
            if number == len(self._maker.asked):
                section = asked.get("section", "")
                energy = min(1.0, max(0.0, _number(asked.get("energy"), 0.6)))
                role = section if section in SECTIONS else "groove"
                if "bar" in asked:
                    bar = round(_number(asked["bar"], 0)) % self.plan.bars
                    energy = self.plan.energy_at(bar)
                    role = self._role_at(bar)
                try:
                    with quiet_turn(self._who, LONGEST_WAIT_SECONDS) as is_mine:
                        if not is_mine:
                            return None
                        made = self._maker.next(role, level_of(energy), aside=bool(section))
                except DigitalDJError:
                    return None
                self._note(made)
            return self._answers.get(number)

    def _role_at(self, bar: int) -> str:
        now, last = bar + PHRASE_BARS // 2, self.plan.bars - 1
        before, here, after = (
            self.plan.energy_at(min(last, max(0, place)))
            for place in (bar - PHRASE_BARS, now, bar + 2 * PHRASE_BARS - 1)
        )
        first = not self._maker.asked
        return role_of(here - before, here, after - here, first=first, last=False)

    def _note(self, phrase: Phrase) -> None:
        sides = [
            {
                "hits": [
                    [hit.onset_quarters, hit.lane, hit.velocity, need]
                    for hit, need in zip(side.beat.hits, side.needs, strict=True)
                ],
                "fill": [[hit.onset_quarters, hit.lane, hit.velocity] for hit in side.fill.hits],
            }
            for side in phrase.sides
        ]
        told = {"number": phrase.number, "role": phrase.role, "seed": phrase.seed}
        self._origin = phrase.sides[0].beat.provenance
        self._told[phrase.number] = {**told, "energy": phrase.energy}
        self._answers[phrase.number] = json.dumps({**told, "sides": sides}).encode()
        for number in [one for one in self._answers if one <= phrase.number - PHRASES_KEPT]:
            del self._answers[number]
        self._held[phrase.number] = phrase
        self._held.pop(phrase.number - PHRASES_HELD, None)

    def phrase(self, asked: Mapping[str, Any]) -> Beat:
        """A phrase with all its strokes, whose provenance has what it is made again by.

        Args:
            asked: from the browser: its jam's 'address', its 'number', and 'side', 0 or 1 of the
                styles.

        Raises:
            BeatError: there is none such, or not any more.
        """
        match asked:
            case {"address": self.address, "number": int(number), "side": 0 | 1 as side} if (
                number in self._held and side < len(self.plan.genres)
            ):
                beat = self._held[number].sides[side].beat
                return replace(beat, title=f"{self.name}, phrase {number + 1}")
        raise BeatError("This phrase is too long ago, or of another jam. Choose one that follows.")

    def heard(self, played: Mapping[str, Any]) -> Beat:
        """Bars as they sounded in the browser, as a beat.

        Args:
            played: from `packed` in jam.js: 'bars', 'first' (number of the first, from 1),
                'tempo_bpm', 'hits' as [onset, lane, velocity] and the numbers of its 'phrases'.

        Raises:
            BeatError: it is no such thing.
        """
        match played:
            case {
                "bars": int(bars),
                "first": int(first),
                "tempo_bpm": int() | float() as tempo_bpm,
                "hits": list(rows),
                "phrases": list(numbers),
            } if 1 <= bars <= MAX_JAM_BARS and len(rows) <= MOST_HITS:
                hits = tuple(map(_hit, rows))
            case _:
                raise BeatError("These bars of the jam cannot be read. Keep them once more.")
        phrases = [self._told[number] for number in numbers if number in self._told]
        asked = self._maker.asked[: max((one["number"] for one in phrases), default=-1) + 1]
        settings = {
            **{name: self._origin.settings.get(name) for name in ("shape", "jam")},
            "first_bar": first,
            "bars": bars,
            "phrases": phrases,
            "asked": [list(one) for one in asked],
        }
        last = first + bars - 1
        return Beat(
            hits,
            bars=bars,
            tempo_bpm=float(tempo_bpm),
            genre=self.plan.genres[0],
            title=f"{self.name}, bars {first} to {last}",
            provenance=replace(self._origin, seed=self.plan.seed, settings=settings),
        )


def _hit(row: object) -> Hit:
    """[onset, lane, velocity] from a browser. Raises BeatError."""
    match row:
        case [int() | float() as onset, int(lane), int(velocity)] if math.isfinite(onset):
            return Hit(float(onset), lane, velocity)
    raise BeatError(f"A stroke of a jam is an onset, a drum and a velocity; got {row!r}.")


def _number(text: str | None, usual: float) -> float:
    try:
        value = float(text or usual)
    except ValueError:
        return usual
    return value if math.isfinite(value) else usual


async def _answer(request: Request) -> Response:
    jam = _known.get(request.path_params["token"])
    content = None
    if jam:
        asked = dict(request.query_params)
        number = request.path_params["number"]
        content = await asyncio.get_running_loop().run_in_executor(
            _THREADS, jam.answer, number, asked
        )
    headers = {"cache-control": "no-store"}
    if content is None:
        return Response(status_code=204, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


JAM_ROUTE = Route(f"{ADDRESS}/{{token}}/{{number:int}}", _answer, methods=["GET"])
