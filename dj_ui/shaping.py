"""The Shape panel: the tools that change a take.

One tool is open at a time, with its controls and one button. The result goes on the deck; several
results are listed side by side, each with a button that puts it on the deck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_core.files.file_names import counted
from dj_core.library.take_history import PastTake
from dj_core.models.humanizer.humanizer_checkpoint import FAMILY as HUMANIZER
from dj_core.models.request import BeatModel
from dj_core.music.beat import Beat
from dj_core.music.drums import DRUM, DRUMS
from dj_core.music.genres import genre_label
from dj_core.music.traits import trait
from dj_core.shaping.locks import Keep
from dj_core.shaping.playing import take_of
from dj_ui.deck import listen, locked_drums
from dj_ui.models import model_label
from dj_ui.readouts import show_facts
from dj_ui.takes import (
    KeptTake,
    call_back,
    history,
    keep_laid_out,
    keep_take,
    kept_takes,
    laid_out,
)
from dj_ui.tap_pad import tapping_pads
from dj_ui.turns import bars_of, turn_to_play
from dj_ui.words import spoken

TOOL, ANSWERS, TURN = "shape", "dj_shape_answers", "dj_shape_turn"
WAITING = "dj_shape_waiting"
NARROW = 480  # pixels; a control need not cross the whole page
PAST_SHOWN = 8  # takes of the history side by side
WHOLE, LAST_BAR, EVERY_4, EVERY_8 = "The whole beat", "Last bar", "Every 4 bars", "Every 8 bars"
OWN_FEEL = "As its genre"
BUILDING = "Building a beat on it…"
SLIDER_WORDS = {
    "density": ("Density", "How many strokes there are."),
    "syncopation": ("Syncopation", "How far kick and snare lean on weak places."),
    "swing": ("Swing", "How late the offbeats fall."),
    "loudness": ("Loudness", "How hard it is played."),
    "complexity": ("Complexity", "How little it repeats itself."),
}
_WORDS = {
    "reroll": "rerolled around what was kept",
    "vary": "a variation",
    "continue": "continued",
    "fill": "with a fill",
    "humanize": "humanised",
    "tighten": "tightened",
    "alive": "made alive",
    "link": "from a link",
    "tap": "built on a rhythm",
    "morph": "between two takes",
    "adjust": "adjusted",
    "song": "grown into a song",
    "jam": "from a jam",
}

Model = Callable[[], BeatModel]
"""Loads the model when it is needed."""
Sound = Callable[[KeptTake], None]
"""Starts a take that was just put on deck."""
Recall = Callable[[Mapping[str, Any]], None]
"""Has the page's controls stand as they did for a take."""


def draw_shaping(kept: KeptTake, model: Model, usable: bool, recall: Recall) -> None:
    """The panel for the take on deck.

    Args:
        kept: what is shaped, as it was edited.
        model: plays around what is given.
        usable: whether the chosen model can do that.
        recall: called with the settings of a take one comes back to.
    """
    panel = _Panel(kept, model, recall)
    tools: dict[str, Callable[[], None]] = {}
    if usable:
        tools = {
            "Reroll": panel.reroll,
            "Vary": panel.vary,
            "Continue": panel.go_on,
            "End in a fill": panel.fill,
            "Sliders": panel.sliders,
        }
        tools["Alive"] = panel.alive
    tools |= {"Feel": panel.feel, "Morph": panel.morph}
    if usable:
        tools |= {"Tap": panel.tap, "Song": panel.song}
    tools |= {"Is it copied?": panel.nearest, "History": panel.history}
    st.html('<h2 class="dj-head">Shape it</h2>')
    if st.session_state.get(TOOL) not in (None, *tools):
        del st.session_state[TOOL]
    with st.container(key="dj_shape"):
        chosen = st.segmented_control(
            "Shape it", list(tools), key=TOOL, label_visibility="collapsed", bind="query-params"
        )
        if chosen:
            tools[chosen]()
    if not usable:
        st.caption("Choose a groove model to reroll, vary, continue, fill and build on a rhythm.")


def put_shaped(sound: Sound, settings: Mapping[str, Any]) -> None:
    """Put what was shaped in the run before on deck; before the row of takes is drawn.

    Args:
        sound: starts it.
        settings: of the page, for a beat that comes from another page.
    """
    waiting = st.session_state.pop(WAITING, None)
    if isinstance(waiting, PastTake):
        sound(call_back(waiting))
    elif waiting:
        beat, made_with = waiting
        sound(keep_take(take_of(beat), made_with or settings))


def put_on_generate(beat: Beat) -> None:
    """Have Generate put a beat of another page on deck, as a take, when it is opened."""
    st.session_state[WAITING] = (beat, None)


def shaped_facts(beat: Beat) -> dict[str, str]:
    """How a shaped beat came to be, in a DJ's words; nothing for one that was not shaped."""
    settings = beat.provenance.settings
    if "shape" not in settings:
        return {}
    facts = {"Shaped": _WORDS.get(settings["shape"], settings["shape"])}
    if beat.provenance.model:
        name = beat.provenance.model
        facts["Model"] = "Humaniser" if name == HUMANIZER else model_label(name)
    if beat.provenance.seed is not None:
        facts["Seed"] = f"{beat.provenance.seed}"
    facts["Genre"] = genre_label(beat.genre) or "not asked"
    return facts


class _Panel:
    """The tools, for one take."""

    def __init__(self, kept: KeptTake, model: Model, recall: Recall) -> None:
        self.kept, self.model, self.recall = kept, model, recall
        self.beat = kept.beat
        # each press draws anew, and a page that comes back begins with the same draws
        self.seed = 1 + st.session_state.get(TURN, 0)

    # --- tools --------------------------------------------------------------------------------

    def reroll(self) -> None:
        """Keep some drums and bars; the rest is played anew."""
        keep = self._choose_keep()
        if self._pressed("Reroll the rest"):
            from dj_core.shaping.rerolling import reroll

            self._answer(
                "Rerolling the rest…", lambda: reroll(self.model(), self.beat, keep, seed=self.seed)
            )

    def vary(self) -> None:
        """A ladder of variations."""
        keep = self._choose_keep()
        count = st.slider("Variations", 2, 8, 4, key="dj_vary_count", width=NARROW)
        if self._pressed("Make variations"):
            from dj_core.shaping.rerolling import vary

            self._answers(
                "Vary",
                f"Making {count} variations…",
                count,
                lambda: [
                    (f"{rung.distance:.0%} away", rung.beat)
                    for rung in vary(self.model(), self.beat, count, keep, seed=self.seed)
                ],
            )
        if self._draw_answers("Vary"):
            st.caption("Put one on deck and press again for more like it.")

    def go_on(self) -> None:
        """More bars, from the whole beat or from one bar of it."""
        primers = [WHOLE, *(f"Bar {bar}" for bar in range(1, min(self.beat.bars, 16) + 1))]
        from_, more = st.columns(2, gap="large")
        primer = from_.selectbox("Go on from", primers, key=f"dj_primer_{self.kept.number}")
        bars = more.slider("Bars to add", 1, 16, 4, key="dj_more_bars")
        if self._pressed("Continue"):
            from dj_core.shaping.continuing import bars_of, continue_beat

            bar = primers.index(primer)
            given = bars_of(self.beat, bar, bar) if bar else self.beat
            self._answer(
                f"Making {counted(bars, 'bar')} more…",
                lambda: continue_beat(self.model(), given, bars, seed=self.seed)[0],
            )

    def fill(self) -> None:
        """A fill at the end of phrases."""
        places = [LAST_BAR]
        places += [EVERY_4] * (self.beat.bars >= 8) + [EVERY_8] * (self.beat.bars >= 16)
        where = st.selectbox("Where", places, key=f"dj_fill_where_{len(places)}", width=NARROW)
        chance = 100
        if where != LAST_BAR:
            chance = st.slider(
                "Chance of each", 10, 100, 100, 10, format="%d%%", key="dj_chance", width=NARROW
            )
        with st.container(horizontal=True, gap="medium"):
            half = st.toggle("Half a bar", key="dj_fill_half")
            crash = st.toggle("Crash on the one after it", value=True, key="dj_fill_crash")
        if self._pressed("Add a fill"):
            from dj_core.shaping.filling import add_fill, add_fills

            more: dict[str, Any] = {"half": half, "crash": crash, "seed": self.seed}
            if where == LAST_BAR:
                self._answer("Making a fill…", lambda: add_fill(self.model(), self.beat, **more))
                return
            more |= {"every_bars": 4 if where == EVERY_4 else 8, "chance": chance / 100}
            self._answer("Making fills…", lambda: add_fills(self.model(), self.beat, **more))

    def sliders(self) -> None:
        """Density, syncopation, swing, loudness, complexity; 0 is what the genre usually has."""
        from dj_core.shaping.attributes import attributes, genre_norm
        from dj_core.shaping.sliders import Controls, adjust

        keep = Keep(drums=self._locked())
        norm, has = genre_norm(self.beat.genre), attributes(self.beat).as_dict()
        asked: dict[str, float] = {}
        columns = st.columns(len(SLIDER_WORDS), gap="medium")
        for column, (name, (label, meaning)) in zip(columns, SLIDER_WORDS.items(), strict=True):
            stands = round(min(max(norm.position(name, has[name]), -2.0), 2.0) * 4) / 4
            value = column.slider(
                label, -2.0, 2.0, stands, 0.25, format="%+.2f",
                key=f"dj_{name}_{self.kept.number}",
                help=f"{meaning} 0 is usual for {genre_label(self.beat.genre) or 'any genre'}.",
            )  # fmt: skip
            if value != stands:
                asked[name] = value
        if self._pressed("Apply", disabled=not asked):
            self._answer(
                "Adjusting the beat…",
                lambda: adjust(self.model(), self.beat, Controls(**asked), keep, seed=self.seed),
            )

    def feel(self) -> None:
        """A drummer's timing and dynamics, or the grid."""
        human, tight = st.columns(2, gap="large")
        with human:
            amount = st.slider("Humanise", 0, 100, 80, 5, format="%d%%", key="dj_humanise")
            whose = {OWN_FEEL: None, "Any": "", **{genre_label(g): g for g in feels()}}
            genre = st.selectbox("Whose feel", list(whose), key="dj_whose_feel")
            if self._pressed("Humanise"):
                self._answer(
                    "Humanising…",
                    lambda: humanizer().humanize(
                        self.beat, amount / 100, genre=whose[genre], seed=self.seed
                    ),
                )
        with tight:
            from dj_core.shaping.tightening import GRIDS, tighten

            degree = st.slider("Tighten", 0, 100, 50, 5, format="%d%%", key="dj_tighten")
            grid = st.selectbox("Grid", list(GRIDS), key="dj_tighten_grid")
            if self._pressed("Tighten"):
                self._answer("Tightening…", lambda: tighten(self.beat, degree / 100, grid=grid))

    def alive(self) -> None:
        """A chance for each hit."""
        amount = st.slider("How alive", 5, 100, 100, 5, format="%d%%", key="dj_alive", width=NARROW)
        st.caption(
            "Every hit sounds with the chance that the model gives it: what it is sure of stays, "
            "the rest comes and goes from loop to loop. On the deck a step's menu shows its chance."
        )
        if self._pressed("Make it alive"):
            from dj_core.shaping.chances import alive

            self._answer("Asking the model…", lambda: alive(self.beat, self.model(), amount / 100))

    def morph(self) -> None:
        """Steps from this take to another."""
        others = {kept.name: kept for kept in kept_takes() if kept.number != self.kept.number}
        if not others:
            st.caption("Play a second take, and you can go from one to the other.")
            return
        to, how_many = st.columns(2, gap="large")
        other = others[to.selectbox("To", list(others), key=f"dj_morph_to_{len(others)}")]
        steps = how_many.slider("Steps, both ends included", 3, 8, 4, key="dj_morph_steps")
        if self._pressed("Morph"):
            from dj_core.shaping.morphing import looped, morph

            bars = max(self.beat.bars, other.beat.bars)
            ends = [
                beat if beat.bars == bars else looped(beat, bars)
                for beat in (self.beat, other.beat)
            ]
            self._answers(
                "Morph",
                f"Making {steps} steps…",
                steps,
                lambda: [
                    (f"Step {number}", beat)
                    for number, beat in enumerate(morph(*ends, steps), start=1)
                ],
            )
        self._draw_answers("Morph")

    def tap(self) -> None:
        """A tapped rhythm, or one drum of this take, becomes a full beat."""
        from dj_core.shaping.rerolling import drum_to_beat
        from dj_core.shaping.tapping import Tap, only, rhythm_of

        labels = {DRUMS[lane].label: DRUMS[lane].name for lane in self.beat.lanes}
        taps = tapping_pads("dj_tap")
        if taps:
            at_tempo = None if st.session_state.get("dj_tap_free") else self.beat.playing_tempo_bpm
            self.place = st.container()
            self._answer(
                BUILDING,
                lambda: drum_to_beat(
                    self.model(),
                    rhythm_of([Tap(*tap) for tap in taps], at_tempo),
                    genre=self._genre(),
                    seed=self.seed,
                ),
            )
        st.toggle("Find the tempo from my taps", key="dj_tap_free")
        chosen = st.pills(
            "Or build on these drums of the take", list(labels), selection_mode="multi",
            key=f"dj_tap_drums_{self.kept.number}",
        )  # fmt: skip
        if self._pressed("Build on them", disabled=not chosen):
            rhythm = only(self.beat, [labels[label] for label in chosen])
            self._answer(
                BUILDING,
                lambda: drum_to_beat(self.model(), rhythm, genre=self._genre(), seed=self.seed),
            )

    def song(self) -> None:
        """Intro, main, variation, break and outro from this take."""
        phrase = st.segmented_control(
            "Phrases of", [8, 16], default=8, format_func=lambda bars: f"{bars} bars",
            key="dj_phrase", required=True,
        )  # fmt: skip
        if self._pressed("Grow a song"):
            from dj_core.shaping.song_form import song_from

            self._answer(
                "Growing a song…",
                lambda: song_from(self.model(), self.beat, phrase_bars=phrase, seed=self.seed).beat,
            )
        sections = self.beat.provenance.settings.get("sections", [])
        show_facts({f"Bar {first}": f"{name}, {bars} bars" for name, first, bars in sections})

    def nearest(self) -> None:
        """How near each bar comes to one the model learned from."""
        from dj_core.shaping.copy_meter import shipped_fingerprints

        try:
            known = shipped_fingerprints()
            found = known.nearest(self.beat)[:16]
        except DigitalDJError as error:
            st.info(spoken(error))
            return
        facts = {}
        for near in found:
            strokes = "1 stroke" if near.distance == 1 else f"{near.distance} strokes"
            far = "the same as in" if near.distance == 0 else f"{strokes} from"
            words = f"{far} {near.file}" if near.file else "nothing within 2 strokes"
            facts[f"Bar {near.bar}"] = words
        show_facts(facts)
        same, _, two = known.usual.within
        st.caption(
            "How many strokes to change to get a bar the model learned from. Drummers repeat "
            f"each other, too: {same:.0%} of bars it never heard are the same as one it did, "
            f"{two:.0%} lie within 2 strokes."
        )

    def history(self) -> None:
        """Every take of this session, one press away, the latest first."""
        past = history()
        takes = list(reversed(past.takes())) if past else []
        if not takes:
            st.caption("Nothing was played in this session yet.")
            return
        parts = [takes[first : first + PAST_SHOWN] for first in range(0, len(takes), PAST_SHOWN)]
        shown = parts[0]
        if len(parts) > 1:
            words = {f"{part[0].number} to {part[-1].number}": part for part in parts}
            shown = words[st.selectbox("Takes", list(words), key=f"dj_history_{len(takes)}")]
        for start in range(0, len(shown), 4):
            row = shown[start : start + 4]
            for take, column in zip(row, st.columns(4), strict=False):
                with column:
                    self._past_take(take)

    def _past_take(self, take: PastTake) -> None:
        when = datetime.fromtimestamp(take.made_at).astimezone().strftime("%H:%M")
        made = take.beat.provenance.settings.get("shape", "")
        told = (_WORDS.get(made, ""), "edited" if take.edit else "", f"at {when}")
        name = " · ".join(filter(None, (genre_label(take.beat.genre), trait(take.beat))))
        st.html(
            f'<div class="dj-strip"><b>{take.number:,} · {escape(name)}</b>'
            f"<span>{escape(', '.join(filter(None, told)))}</span></div>"
        )
        listen(take.beat, key=f"dj_past_{take.number}", name=f"Take {take.number}")
        if st.button("To deck", key=f"dj_back_{take.number}", width="stretch"):
            self.recall(take.settings)
            st.session_state[WAITING] = take
            st.rerun()

    # --- what they share ----------------------------------------------------------------------

    def _choose_keep(self) -> Keep:
        drums = self._locked()
        bars: Sequence[int] = ()
        if self.beat.bars > 1:
            bars = st.pills(
                "Keep these bars", list(range(1, min(self.beat.bars, 16) + 1)),
                selection_mode="multi", key=f"dj_keep_bars_{self.kept.number}",
            )  # fmt: skip
        with st.expander("Keep steps"):
            steps = st.pills(
                "Keep these 16ths of every bar", list(range(1, 17)), selection_mode="multi",
                key=f"dj_keep_steps_{self.kept.number}",
            )  # fmt: skip
        return Keep(drums=drums, bars=bars, steps=steps)

    def _locked(self) -> tuple[str, ...]:
        """The drums that are locked on the deck; the page says which."""
        drums = locked_drums()
        if drums:
            st.caption(f"Locked on the deck: {', '.join(DRUM[name].label for name in drums)}.")
        else:
            st.caption("The padlock on a drum's row in the deck keeps that drum.")
        return drums

    def _genre(self) -> str:
        return self.beat.genre if self.beat.genre in self.model().genres else ""

    def _pressed(self, label: str, disabled: bool = False) -> bool:
        key = f"dj_shape_{label.lower().replace(' ', '_')}"
        self.place = st.container(key=f"{key}_place")  # of the button, then of what is being done
        return self.place.button(label, key=key, type="primary", disabled=disabled)

    def _answer(self, doing: str, play: Callable[[], Beat]) -> None:
        """Make one beat and put it on deck; `doing` says meanwhile what is done."""
        beats = self._played(doing, 1, lambda: [("", play())])
        if beats:
            self._put(beats[0][1], self.kept.settings)

    def _answers(
        self, tool: str, doing: str, count: int, play: Callable[[], list[tuple[str, Beat]]]
    ) -> None:
        """Make so many beats and set them side by side."""
        beats = self._played(doing, count, play)
        if beats:
            st.session_state[ANSWERS] = (tool, beats)
            keep_laid_out(tool, beats)

    def _played(
        self, doing: str, count: int, play: Callable[[], list[tuple[str, Beat]]]
    ) -> list[tuple[str, Beat]]:
        st.session_state[TURN] = self.seed
        try:
            with self.place, turn_to_play(doing, count * bars_of(self.beat)):
                return play()
        except DigitalDJError as error:
            st.warning(spoken(error))
            return []

    def _put(self, beat: Beat, settings: Mapping[str, Any]) -> None:
        """Have the next run put it on deck: the row of takes is drawn already."""
        st.session_state[WAITING] = (beat, dict(settings))
        st.rerun()

    def _draw_answers(self, tool: str) -> bool:
        """What this tool made last, side by side, if there is any."""
        if ANSWERS not in st.session_state:  # after a reload
            st.session_state[ANSWERS] = laid_out()
        of, answers = st.session_state[ANSWERS]
        if of != tool:
            return False
        for start in range(0, len(answers), 4):
            row = answers[start : start + 4]
            for (label, beat), column in zip(row, st.columns(4), strict=False):
                with column:
                    st.html(f'<div class="dj-strip"><b>{escape(label)}</b></div>')
                    key = f"{start}_{label.lower().replace(' ', '_')}"
                    listen(beat, key=f"dj_answer_{key}", name=label)
                    if st.button("To deck", key=f"dj_take_{key}", width="stretch"):
                        self._put(beat, self.kept.settings)
        return bool(answers)


@st.cache_resource(show_spinner=False)
def humanizer():  # noqa: ANN201 (imported late: it brings torch)
    """The humaniser, loaded once."""
    from dj_core.models.humanizer.humanizer_player import load_humanizer

    return load_humanizer()


@st.cache_data(show_spinner=False)
def feels() -> tuple[str, ...]:
    """Genres whose drummers the humaniser has heard."""
    return humanizer().genres
