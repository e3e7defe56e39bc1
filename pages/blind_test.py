"""Blind test: a person's beat or the model's? Hear pairs, choose, and see what your ears say."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dj_core.blind_test.judgement_file import (
    MOST_NAME,
    JudgementFile,
    judgements_csv,
    listener_name,
)
from dj_core.blind_test.judging import Judgement, Tally, learning_curve, tallies
from dj_core.blind_test.pairs import TAKE_BARS, BlindTest, Pair, Pool, pair_of, pool_of
from dj_core.errors import DigitalDJError, GenerationError
from dj_core.host.read_only import read_only
from dj_core.library.library import Library
from dj_core.models.request import BeatModel
from dj_core.music.genres import genre_label, is_dance
from dj_ui.charts import curve_chart
from dj_ui.deck import blind_pair
from dj_ui.downloads import download_button
from dj_ui.frame import open_page, run_page
from dj_ui.models import loaded
from dj_ui.readouts import show_facts, show_readouts
from dj_ui.sessions import sessions_home, visitors_session
from dj_ui.set_files import SessionFolder, offer
from dj_ui.turns import spare_turn, turn_to_play
from dj_ui.visiting import take_allowance, visitor
from dj_ui.words import spoken

KINDS = {
    "both": "Both",
    "drummers": "Drummer or machine?",
    "producers": "Producer or machine?",
}
LENGTHS = (10, 20, 40)
PLAYERS = ("Player 1", "Player 2")
MADE, POOL, SAID, UNKEPT = "blind_made", "blind_pool", "blind_said", "blind_unkept"
PAIRS_HELD = 3
MOST_HEARD_SECONDS = 3_600.0
LONGEST_SHOWN = 5
NAME_PX = 320


def main() -> None:
    """The page, top down."""
    st.title("Blind test")
    library = Library.open()
    info = library.model(None)
    model, weights = loaded(info), info.card["weights_sha256"]
    known = st.session_state.get(POOL)
    if known is None or known[0] != weights:
        known = st.session_state[POOL] = (weights, pool_of(library, model, weights))
    pool: Pool = known[1]
    test, players = asked()
    if test is None or not players:
        start(test, pool)
        show_all(everybody())
    else:
        run(test, players, pool, model)


def asked() -> tuple[BlindTest | None, tuple[str, ...]]:
    """The test in the page's address, and who takes it; None and nobody where it has none."""
    link = st.query_params
    names = [
        listener_name(name, usual) for name, usual in zip(link.get_all("by"), PLAYERS, strict=False)
    ]
    if "seed" not in link:
        return None, ()
    try:
        return BlindTest(
            link.get("kind", "both"), int(link.get("pairs", "10")), int(link["seed"])
        ), tuple(dict.fromkeys(names))
    except (ValueError, GenerationError) as error:
        st.warning(spoken(f"The link holds no test: {error}"))
        return None, ()


def link_of(test: BlindTest, of: str, players: Sequence[str] = ()) -> dict[str, Any]:
    """What the page's address says of a test; without players it can be given away."""
    told = {"kind": test.kind, "pairs": str(test.pairs), "seed": str(test.seed), "of": of}
    return {**told, "by": [*players]} if players else told


# -- before it ---------------------------------------------------------------------------------


def start(shared: BlindTest | None, pool: Pool) -> None:
    """Ask who listens and to what, and begin."""
    st.html(
        '<p class="dj-invite">Two loops, one by a person, one by the model: the same style, tempo, '
        "length, kit and loudness. <b>Find the person.</b></p>"
    )
    drummers = (
        "No drummers who were held out of training are imported, so theirs are starter patterns, "
        "which the model has learned from. Import the Groove MIDI Dataset for a fair test."
        if pool.seen
        else f"Drummers: {len(pool.drummers)} performances that were held out of training."
    )
    st.caption(spoken(f"{drummers} Producers: written phrases that were held out of training."))
    if read_only():
        st.caption("This host is read only: your results are gone when you reload or leave.")
    last = [one.listener for one in everybody()[-1:]]
    with st.container(key="blind_start"):
        if shared is None:
            kind = st.segmented_control(
                "Beats", list(KINDS), default="both", required=True, format_func=KINDS.get,
                key="blind_kind",
            )  # fmt: skip
            pairs = st.segmented_control(
                "Pairs", LENGTHS, default=LENGTHS[0], required=True, key="blind_pairs"
            )
        else:
            st.info(
                f"A shared test of {shared.pairs} pairs: {KINDS[shared.kind]} You hear the pairs "
                "that its sender heard."
            )
        party = st.toggle(
            "Two players", key="blind_party", help="Both hear each pair and choose; a score."
        )
        names = [
            st.text_input("Your name", *last, max_chars=MOST_NAME, key="blind_name", width=NAME_PX)
        ]
        if party:
            names.append(
                st.text_input(
                    "The other's name", max_chars=MOST_NAME, key="blind_other", width=NAME_PX
                )
            )
        if st.button("Start", type="primary", key="blind_go"):
            seed = random.randrange(1, 2**31)
            test = shared or BlindTest(kind, pairs, seed)
            players = [
                listener_name(name, usual) for name, usual in zip(names, PLAYERS, strict=False)
            ]
            if len({*players}) < len(players):
                players[1] = PLAYERS[1]
            st.session_state.pop(SAID, None)
            st.query_params.from_dict(
                link_of(test, st.query_params.get("of", pool.id) if shared else pool.id, players)
            )
            st.rerun()


# -- while it runs -----------------------------------------------------------------------------


def run(test: BlindTest, players: tuple[str, ...], pool: Pool, model: BeatModel) -> None:
    """The next pair that not everybody has judged; what came out, once all are judged."""
    name = f"{test.name}-{pool.id}"
    if st.query_params.get("of", pool.id) != pool.id:
        st.warning("Your corpora or model are others than the sender's: so are the pairs.")
    given = [one for one in everybody() if one.test == name and one.listener in players]
    judged = {(one.pair, one.listener) for one in given}
    left = [
        number
        for number in range(1, test.pairs + 1)
        if any((number, player) not in judged for player in players)
    ]
    if len(players) > 1:
        score = {player: sum(o.right for o in given if o.listener == player) for player in players}
        show_readouts({player: f"{right}" for player, right in score.items()})
    if not left:
        show_end(test, players, pool, given)
        return
    place, wait = st.container(key="blind_stage"), st.container(key="blind_wait")
    with wait:
        pair, addresses = made(name, test, left[0], pool, model)
    with place:
        st.html(
            f'<p class="dj-title">Pair {pair.number:d} of {test.pairs:d} · '
            f"{escape(genre_label(pair.genre))} · {pair.tempo_bpm:.0f} BPM</p>"
        )
        blind_pair(
            f"{name}-{pair.number}", addresses, players, person_of(pair.genre),
            lambda answer: take(answer, name, players), key="blind_deck",
        )  # fmt: skip
        said = escape(st.session_state.get(SAID, ""))
        st.html(f'<p class="dj-invite blind-said">{said}</p>')
        st.button("End the test", key="blind_end", on_click=leave)
    if len(left) > 1:  # the next pair is made while this one is heard
        with spare_turn(visitor()) as free:
            if free:
                make(name, test, left[1], pool, model)


def person_of(genre: str) -> str:
    """Who is looked for in a pair of this style."""
    return "producer" if is_dance(genre) else "drummer"


def made(
    name: str, test: BlindTest, number: int, pool: Pool, model: BeatModel
) -> tuple[Pair, list[str]]:
    """A pair and the addresses of its sounds; it may have been made before."""
    if (name, number) not in st.session_state.get(MADE, {}):
        with turn_to_play("Making the pair", TAKE_BARS):
            make(name, test, number, pool, model)
    pair, folder = st.session_state[MADE][name, number]
    return pair, [offer(folder.path / f"{side}.wav") for side in "AB"]


def make(name: str, test: BlindTest, number: int, pool: Pool, model: BeatModel) -> None:
    """Make a pair, and let go of the one made first; its files go with it."""
    pair, folder = pair_of(test, number, pool, model), SessionFolder()
    for side, sound in zip("AB", pair.sounds, strict=True):
        (folder.path / f"{side}.wav").write_bytes(sound)
    held = st.session_state.setdefault(MADE, {})
    held[name, number] = replace(pair, sounds=(b"", b"")), folder
    while len(held) > PAIRS_HELD:
        del held[next(iter(held))]


def take(answer: Mapping[str, Any], name: str, players: tuple[str, ...]) -> None:
    """Keep what was chosen; what is no answer to a pair that was heard is left alone."""
    made = st.session_state.get(MADE, {})
    held = {f"{test}-{number}": pair for (test, number), (pair, _) in made.items() if test == name}
    match answer:
        case {
            "pair": str(told),
            "chosen": [*chosen],
            "heard": [int() | float() as a, int() | float() as b],
        } if (
            told in held
            and len(chosen) == len(players)
            and {*chosen} <= {"A", "B"}
            and all(0 <= seconds < MOST_HEARD_SECONDS for seconds in (a, b))
        ):
            pair: Pair = held[told]
            heard = (round(float(a), 1), round(float(b), 1))
            human, model = heard if pair.human == "A" else heard[::-1]
            given = [
                Judgement(
                    player, name, pair.number, pair.genre, pair.tempo_bpm, pair.human, side,
                    human, model, pair.origin, pair.seed, round(time.time(), 1),
                )
                for player, side in zip(players, chosen, strict=True)
            ]  # fmt: skip
            try:
                keep(given)
            except DigitalDJError as error:
                st.toast(spoken(error))
                return
            st.session_state[SAID] = outcome(pair, given)


def outcome(pair: Pair, given: Sequence[Judgement]) -> str:
    """What a pair was, and who found the person in it."""
    right = [one.listener for one in given if one.right]
    found = "Right" if right else "Wrong"
    if len(given) > 1:
        found = f"{' and '.join(right) or 'Nobody'} found it"
    who = person_of(pair.genre)
    return f"{found}. In pair {pair.number}, {pair.human} was the {who}: {pair.origin}."


def leave() -> None:
    """Back to the start; what was judged is kept."""
    st.query_params.clear()
    st.session_state.pop(SAID, None)


# -- after it ----------------------------------------------------------------------------------


def show_end(
    test: BlindTest, players: tuple[str, ...], pool: Pool, given: Sequence[Judgement]
) -> None:
    """What came out of a test, and the way to share it."""
    found, heading = tallies(given, lambda one: one.listener), "This test"
    if len(found) > 1:
        (first, best), (_, other) = sorted(found.items(), key=lambda one: -one[1].right)
        heading = "A draw" if best.right == other.right else f"{first} wins"
    st.html(f'<h2 class="dj-head">{escape(heading)}</h2>')
    if text := st.session_state.get(SAID):
        st.html(f'<p class="dj-invite">{escape(text)}</p>')
    for player, tally in found.items():
        show_tally(tally, player if len(players) > 1 else "")
    with st.container(horizontal=True, key="blind_after"):
        st.button("Another test", type="primary", key="blind_again", on_click=leave)
    st.caption("Share this test: whoever has the same corpora and model hears the same pairs.")
    address = (st.context.url or "").partition("?")[0]
    st.code(f"{address}?{urlencode(link_of(test, pool.id))}", language=None, wrap_lines=True)
    show_all(everybody())


def show_tally(tally: Tally, name: str = "") -> None:
    """Judgements in numbers and words."""
    low, high = tally.interval
    show_readouts(
        {
            name or "Right": f"{tally.right} of {tally.judged}",
            "Share": f"{tally.share:.0%}",
            "95% interval": f"{low:.0%} to {high:.0%}",
            "Test against chance": f"p = {tally.p_chance:.3f}",
            "Test of 40 to 60%": f"p = {tally.p_apart:.3f}",
        }
    )
    st.caption(tally.words)


def show_all(given: Sequence[Judgement]) -> None:
    """Everything that was judged in this browser."""
    if not given:
        return
    st.html('<h2 class="dj-head">All judgements here</h2>')
    show_tally(Tally.of(given))
    by_listener = tallies(given, lambda one: one.listener)
    left, right = st.columns(2, gap="large")
    with left:
        show_shares("By listener", by_listener)
        curves = {name: [o for o in given if o.listener == name] for name in by_listener}
        lines = {
            name: points for name, own in curves.items() if len(points := learning_curve(own)) > 1
        }
        if lines:
            st.html('<p class="dj-title">Learning: share right of the last ten</p>')
            curve_chart(lines, "blind_curve", "judgement", "right", (0.0, 1.0))
    with right:
        show_shares("By style", tallies(given, lambda one: genre_label(one.genre)))
        st.html('<p class="dj-title">Heard longest: seconds of the person + of the model</p>')
        show_facts(longest(given))
    with st.container(horizontal=True, vertical_alignment="bottom", key="blind_file"):
        download_button(
            "CSV", lambda: judgements_csv(given), "blind-test.csv", "text/csv", "blind_csv",
            "Every judgement, one a row.",
        )  # fmt: skip
        whose = st.selectbox(
            "Delete", ["", *by_listener], format_func=lambda name: name or "Everybody's",
            key="blind_whose", width=NAME_PX,
        )  # fmt: skip
        st.button("Delete judgements", key="blind_delete", on_click=forget, args=(whose,))


def longest(given: Sequence[Judgement]) -> dict[str, str]:
    """How long people's beats and the model's were heard, and the pairs heard longest."""
    human, model = (
        sum(seconds) / len(given)
        for seconds in zip(*((one.heard_human, one.heard_model) for one in given), strict=True)
    )
    facts = {"On average": f"{human:.0f} + {model:.0f}"}
    pairs = {(one.test, one.pair): one for one in given}.values()  # players heard it together
    for place, one in enumerate(sorted(pairs, key=lambda one: -one.heard)[:LONGEST_SHOWN], start=1):
        pair = f"{place}. {genre_label(one.genre)}, {one.tempo_bpm:.0f} BPM"
        facts[pair] = f"{one.heard_human:.0f} + {one.heard_model:.0f}"
    return facts


def show_shares(title: str, groups: Mapping[str, Tally]) -> None:
    """The share right of each group as a mark on its interval, over 0 to 100%."""
    rows = ""
    for name, tally in groups.items():
        low, high = tally.interval
        rows += (
            f'<dt>{escape(name)}</dt><dd style="--low:{low:.3f};--high:{high:.3f};'
            f'--share:{tally.share:.3f}"><i></i>{tally.right:d} of {tally.judged:d}, '
            f"{low * 100:.0f} to {high:.0%}</dd>"
        )
    st.html(f'<p class="dj-title">{escape(title)}</p><dl class="dj-counts dj-shares">{rows}</dl>')


# -- what is kept ------------------------------------------------------------------------------


def book() -> JudgementFile | None:
    """The file of this browser's judgements; None where nothing is kept."""
    session = None if read_only() else visitors_session()
    return JudgementFile(sessions_home(), session) if session else None


def everybody() -> tuple[Judgement, ...]:
    """All that was judged in this browser, in order."""
    file = book()
    return file.all() if file else tuple(st.session_state.get(UNKEPT, ()))


def keep(given: Sequence[Judgement]) -> None:
    """Keep judgements, for good or as long as the page is open. Raises LibraryError."""
    if file := book():
        if not file.path.exists():
            take_allowance("session")
        file.add(given)
    else:
        st.session_state[UNKEPT] = [*st.session_state.get(UNKEPT, ()), *given]


def forget(listener: str) -> None:
    """Delete a listener's judgements, or everybody's ('')."""
    try:
        if file := book():
            file.delete(listener or None)
        else:
            kept = st.session_state.get(UNKEPT, ())
            st.session_state[UNKEPT] = [o for o in kept if listener not in ("", o.listener)]
    except DigitalDJError as error:
        st.toast(spoken(error))


if open_page("Blind test"):
    st.session_state.pop(POOL, None)  # corpora may have come since
run_page(main)
