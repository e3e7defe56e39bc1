"""Generate: choose settings, make a beat, hear, change, keep and download it."""

from __future__ import annotations

import contextlib
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from math import isinf
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dj_core.errors import BeatError, DigitalDJError, SoundError
from dj_core.files.beat_link import beat_from_text
from dj_core.library.library import Library, ModelInfo
from dj_core.models.request import DEFAULT_FEEL, Feel, GenerationRequest, Take
from dj_core.music.genres import MOST_ENERGY, genre_label
from dj_core.shaping.playing import take_of
from dj_core.sound.beat_sound import MOST_KIT_NAME
from dj_core.sound.kit_table import kit_or
from dj_core.sound.mixer_table import Mixer
from dj_ui.ahead import Ahead
from dj_ui.controls import (
    CONTROLS,
    DENSITIES,
    GREEDY,
    KIND_OF,
    LOUDNESSES,
    TEMPERATURE,
    choose_model,
    choose_settings,
    choose_soundfont,
    request_of,
    restore,
    set_controls,
)
from dj_ui.deck import (
    ahead_payload,
    choose_kit,
    choose_mixer,
    deliver_ahead,
    listen,
    new_tempo,
    sound_of,
    usual_kit,
)
from dj_ui.deck.payload import beat_id
from dj_ui.frame import open_page, run_page
from dj_ui.keeping import leave_crate, taken_from_crate
from dj_ui.kit_panel import draw_own_kits
from dj_ui.models import loaded
from dj_ui.opening import opening_beat
from dj_ui.player import beat_name, player, show_counts
from dj_ui.readouts import show_facts
from dj_ui.shaping import TOOL, draw_shaping, put_shaped, shaped_facts
from dj_ui.takes import (
    ON_DECK,
    KeptTake,
    bring_back,
    keep_take,
    kept_takes,
    not_kept,
    note_place,
    own_take,
    take_on_deck,
    write_down,
)
from dj_ui.tasting import by_taste, fits, note_later, write_notes
from dj_ui.turns import bars_asked, turn_to_play
from dj_ui.visiting import visitor
from dj_ui.words import spoken

STRIP = {GREEDY: 0.0, "0.5": 0.5, "1": 1.0, "2": 2.0, "5": 5.0}
NEW_SEEDS = 100_000  # short enough to read out to somebody
LINK = "dj_link"
LEFT_AT = "dj_left_at"  # the controls as the tab last had them
WISH = "dj_wish"  # a take is to be made: True to be heard, False to be seen
NEXT = "dj_next"  # values that controls take on when they are drawn again
STAGE = "dj_stage_alone"  # the part of the page that answers a click by itself
ALONE, DRAWN = "dj_alone", "dj_drawn"  # whether it shall; the model the controls were drawn for
HEAD_START_SECONDS = 0.2  # of a beat on its way to the deck, before the rest of the page follows
SOUNDING = "dj_sounding"  # (number of a take, token): the take that starts by itself, once
OFFERED = "dj_offered"  # the `Offer` that the browser has been told of
STARTED = "dj_started"  # when the take that sounds was started, on this machine's clock
BY_TASTE = "dj_by_taste"  # the take that is asked for is drawn by taste: its style is not given
HEARD_SECONDS = 4.0  # a take that gives way sooner was not judged
NEW_SEED = "dj_new_seed"  # drawn for the next take that shall have a new one
STRIP_TAKES = "dj_strip"
MOST_PLAYED = 10  # notes in the count, as in the paper's Figures 1 to 3


def main() -> None:
    """The page, top to bottom."""
    arrived = open_page("Generate")
    st.session_state.pop(ALONE, None)
    restore(st.session_state.pop(NEXT, {}))
    if (tempo := new_tempo()) is not None:
        restore({"tempo": round(tempo)})
    latest = bring_back()
    asked = read_link(arrived or came_by_history())
    if "genre" in asked:  # Streamlit binds the other controls to the address
        restore({"genre": asked["genre"]})
    if not any(key in asked for key in CONTROLS):
        come_back(arrived, latest)
    else:  # no control shows it, so Streamlit does not bind it
        style = asked.get("style", "")
        restore({"style": int(style) if style.isdecimal() else None})
    if "kit" in asked:
        choose_kit(asked["kit"])
    with contextlib.suppress(SoundError):  # `tell_refused` says so
        if asked.get("mix"):
            choose_mixer(Mixer.from_text(asked["mix"]))
    library = Library.open()
    with st.container(key="dj_bench"):  # theme.css says where on the screen each part stands
        go, stage, side = (st.container(key=f"dj_{part}") for part in ("go_box", "stage", "side"))
    with side:
        try:
            model = choose_model(library)
            settings = choose_settings(library, model)
        except DigitalDJError as error:
            model, settings = None, {}
            st.info(spoken(error))
        soundfont = choose_soundfont(library)
    if "seed" in asked and settings.get("seed") is not None and not own_take(settings):
        st.session_state.setdefault(WISH, False)
    st.session_state[DRAWN] = st.session_state.get("model")
    if settings:
        st.session_state[LEFT_AT] = {**settings, TOOL: st.session_state.get(TOOL)}
    with stage:
        tell_refused(asked, settings)
        if "beat" in asked:
            put_linked(asked["beat"], settings)
        put_shaped(sound, settings)
        draw_stage(model, soundfont)
    kept = take_on_deck()
    with go:
        draw_transport(kept, usable=model is not None)
    with stage:
        draw_takes()
        crated = taken_from_crate()
        draw_own_kits(crated.slot if crated else kept.slot if kept else beat_id(opening_beat()))
    if model and kept and not taken_from_crate():
        draw_shaping(kept, partial(loaded, model), model.can_shape, set_next)
        draw_strip(model, kept)
        draw_making(kept)
    write_down()
    write_notes()
    if settings:
        note_style(settings)
        note_place(settings)
    if model and settings:
        offer_next(model, soundfont)


# -- link ------------------------------------------------------------------------------------


def read_link(arrived: bool) -> Mapping[str, str]:
    """What the address asks for that a visitor has just come by; nothing once it was told."""
    if arrived:
        st.session_state[LINK] = st.query_params.to_dict()
    asked = st.session_state.get(LINK, {})
    endless = {key for key in st.query_params if any(map(is_endless, st.query_params.get_all(key)))}
    if endless:  # Streamlit 1.67 cannot read infinity as a whole number: come again without it
        kept = {key: text for key, text in asked.items() if key not in endless}
        st.switch_page("pages/generate.py", query_params=kept)
    return asked


def came_by_history() -> bool:
    """Whether the visitor pressed the browser's Back or Forward."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def come_back(arrived: bool, latest: KeptTake | None) -> None:
    """Have the controls as they were left, where the address says nothing of them.

    In a new tab they are as for its browser's latest take. By a link of a page Streamlit keeps
    them itself; by Back or Forward it sets them as the address says, whatever the page says, so
    the page runs once more.
    """
    if came_by_history() and LEFT_AT in st.session_state:
        left = st.session_state.pop(LEFT_AT)
        if arrived:
            for key in CONTROLS:
                st.session_state.pop(key, None)
            address = {key: str(value) for key, value in left.items() if value is not None}
            st.switch_page("pages/generate.py", query_params=address)
        st.session_state[NEXT] = left
        st.rerun()
    if latest:
        restore(latest.settings)


def is_endless(text: str) -> bool:
    """Whether a link's text means infinity, such as 1e400."""
    try:
        return isinf(float(text))
    except ValueError:
        return False


def tell_refused(asked: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Say which settings of a link could not be used."""
    st.session_state[LINK] = {}
    refused = [
        key for key in CONTROLS if asked.get(key) and not same_value(asked[key], settings.get(key))
    ]
    if refused:
        names = ", ".join(key.replace("_", " ") for key in refused)
        st.info(
            f"This link asks for settings that do not exist here: {names}. "
            "They are left as they were."
        )
    kit = asked.get("kit", "")
    if kit and not kit_or(kit, ""):
        st.info(
            f"This link asks for the kit {spoken(kit[:MOST_KIT_NAME])}, which is not here. The "
            "usual kit of the style plays instead."
        )
    try:
        Mixer.from_text(asked.get("mix", ""))
    except SoundError as error:
        st.info(spoken(f"The mixer of this link cannot be used. {error}"))


def put_linked(text: str, settings: Mapping[str, Any]) -> None:
    """Put the beat that a link holds on deck, as a take; a reload finds it there."""
    st.query_params.pop("beat", None)
    try:
        beat = beat_from_text(text)
    except BeatError as error:
        st.info(spoken(error))
        return
    made = replace(beat.provenance, settings={"shape": "link"})
    keep_take(take_of(replace(beat, provenance=made)), settings)
    leave_crate()


def same_value(text: str, value: object) -> bool:
    """Whether a link's text means a control's value."""
    try:
        return float(text) == value
    except ValueError:
        return text == str(value)


def link_sound(slot: str = "") -> None:
    """Have the link name the kit that was chosen, unless it follows the style, and the mixer."""
    sound = sound_of(slot)
    for name, text in (("kit", kit_or(sound.kit, "")), ("mix", sound.mixer.to_text())):
        if text:
            st.query_params[name] = text
        else:
            st.query_params.pop(name, None)


def note_style(settings: dict[str, Any]) -> None:
    """Have the link name the style of the take on deck, where taste chose it."""
    style = st.session_state.get("style") if "style" in settings else None
    if style is None:
        st.query_params.pop("style", None)
    else:
        st.query_params["style"] = str(style)
    if "style" in settings:  # as it is after a take was made
        settings["style"] = st.session_state[LEFT_AT]["style"] = style


# -- takes -----------------------------------------------------------------------------------


def wish(seed: int | None) -> None:
    """Ask for a take; None draws a new seed. In callbacks only, as all that calls `at_once`."""
    new = st.session_state.pop(NEW_SEED, None) or random.randrange(1, NEW_SEEDS)
    new = new if seed is None else seed
    st.session_state[NEXT] = {"seed": new}
    st.session_state[WISH] = True
    at_once()


def press_generate() -> None:
    """Play what is set; a seed that is on deck already gives way to a new one."""
    note_leaving()
    st.session_state[BY_TASTE] = True
    wish(seed_in_sight())


def note_leaving() -> None:
    """Note that the take on deck was heard and gives way: edited by hand, or skipped."""
    kept = take_on_deck()
    heard = time.monotonic() - st.session_state.get(STARTED, time.monotonic())
    if kept and heard >= HEARD_SECONDS and not taken_from_crate():
        beat = kept.beat
        note_later(beat, "edit" if beat.provenance.edited else "skip")


def seed_in_sight() -> int | None:
    """The seed that is set, unless its take is on deck already."""
    kept, shown = take_on_deck(), st.session_state.get("seed")
    seed = st.session_state.get(NEXT, {}).get("seed", shown)
    return None if kept and kept.settings["seed"] == seed else seed


def play_same_seed() -> None:
    """Once more with the seed of the take on deck."""
    kept = take_on_deck()
    wish(kept.settings["seed"] if kept else None)


def at_once() -> None:
    """Have the deck's part of the page answer a click by itself; the rest follows.

    Not where another model was chosen in the same moment: its controls are drawn first.
    """
    if st.session_state.get("model") == st.session_state.get(DRAWN):
        st.session_state[ALONE] = True
        st.rerun(STAGE)


def play(model: ModelInfo) -> bool:
    """Make the take that was asked for, if one was; False where that failed."""
    heard = st.session_state.pop(WISH, None)
    if heard is None:
        return True
    settings = {**set_controls(), **st.session_state.get(NEXT, {})}
    offered: Offer | None = st.session_state.pop(OFFERED, None)
    by_own_taste = st.session_state.pop(BY_TASTE, False)
    try:
        request = request_of(model, settings)
        if by_own_taste:
            # the offer has the taste of the moment it was made: what was judged since, even by
            # this click, is in the next one
            request = replace(request, style=None)
            if offered and replace(offered.request, style=None) == request:
                request = offered.request
            else:
                request = by_taste(model, request)
        elif heard and not fits(model, request):
            request = by_taste(model, replace(request, style=None))
        is_offered = offered and (offered.model, offered.request) == (sha256_of(model), request)
        take = offered.ahead.outcome() if offered and is_offered else None
        token = offered.play if offered and take else ""
        if take is None:
            with turn_to_play("Making a beat…", bars_asked(request)):
                take = loaded(model).generate(request)
    except DigitalDJError as error:
        st.warning(spoken(error))
        return False
    settings["style"] = st.session_state["style"] = request.style
    if NEXT in st.session_state:
        st.session_state[NEXT]["style"] = request.style
    kept = keep_take(take, settings)
    leave_crate()
    if heard:
        sound(kept, token)
    return True


def sound(kept: KeptTake, token: str = "") -> None:
    """Start a take, or drop it in on the next bar while another one plays.

    `token`: the one that a browser which had the take before it was asked for started it by.
    """
    leave_crate()
    st.session_state[STARTED] = time.monotonic()
    st.session_state[SOUNDING] = (kept.number, token or secrets.token_hex(4))


@dataclass(frozen=True)
class Offer:
    """The take that a click on Generate would make now, made ahead of it.

    Attributes:
        model: the weights' SHA-256.
        request: what the click would ask for.
        number: of the take, as far as this tab knows.
        play: the token the deck starts it by.
        ahead: the take, as soon as the browser has fetched it.
    """

    model: str
    request: GenerationRequest
    number: int
    play: str
    ahead: Ahead[Take]


def offer_next(model: ModelInfo, soundfont: Path | None) -> None:
    """Have the browser fetch the take that a click on Generate would make for what is set."""
    seed = seed_in_sight()
    if seed is None:
        seed = st.session_state.setdefault(NEW_SEED, random.randrange(1, NEW_SEEDS))
    number = max((kept.number for kept in kept_takes()), default=0) + 1
    offered: Offer | None = st.session_state.get(OFFERED)
    try:
        request = request_of(model, {**set_controls(), "seed": seed, "style": None})
        request = by_taste(model, request)
        asked = (sha256_of(model), request, number)
        if offered is None or (offered.model, offered.request, offered.number) != asked:
            play = secrets.token_hex(4)

            def payload(take: Take) -> dict[str, Any]:
                kept = KeptTake(number, take, {})
                return ahead_payload(take.beat, kept.slot, kept.name, play)

            ahead = Ahead(
                lambda: loaded(model).generate(request), payload,
                bars=bars_asked(request), who=visitor(),
            )  # fmt: skip
            offered = st.session_state[OFFERED] = Offer(*asked, play, ahead)
        kept = take_on_deck()
        kit = kit_or(sound_of(kept.slot if kept else "").kit, usual_kit(request.genre or ""))
        deliver_ahead(offered.ahead.address, "deck", kit, soundfont)
    except DigitalDJError:
        return  # the click says what is wrong


def sha256_of(model: ModelInfo) -> str:
    """What tells a model from one of the same name that learned on."""
    return str(model.card["weights_sha256"])


# -- deck ------------------------------------------------------------------------------------


@st.fragment(key=STAGE)
def draw_stage(model: ModelInfo | None, soundfont: Path | None) -> None:
    """The deck, and before it the take that was asked for.

    After a click this runs alone: nothing but the beat stands between the click and the sound.
    """
    alone = st.session_state.pop(ALONE, False)
    with st.empty():
        worked = model is None or play(model)
    draw_deck(take_on_deck(), soundfont, draw_the_rest if alone and worked else None)


def draw_the_rest() -> None:
    """Let a beat that is on its way to the deck get there, and draw the page anew."""
    time.sleep(HEAD_START_SECONDS)
    st.rerun()


def draw_deck(
    kept: KeptTake | None, soundfont: Path | None, then: Callable[[], None] | None
) -> None:
    """The beat on deck; `then` is called as soon as it is there."""
    crated = taken_from_crate()
    if crated:
        player(
            crated.kept.beat,
            key="deck",
            slot=crated.slot,
            name=crated.kept.item.name,
            play=crated.play,
            soundfont=soundfont,
            locks=True,
            taken_as=crated.kept.item.name,
            below=lambda _: link_sound(crated.slot),
            then=then,
        )
        return
    if not kept:
        opening = opening_beat()
        player(
            opening,
            key="deck",
            name=f"Written phrase · {beat_name(opening)}",
            soundfont=soundfont,
            locks=True,
            below=lambda _: link_sound(),
            then=then,
        )
        return
    number_, token = st.session_state.get(SOUNDING, (0, ""))
    player(
        kept.take.beat,
        key="deck",
        slot=kept.slot,
        name=kept.name,
        play=token if number_ == kept.number else None,
        soundfont=soundfont,
        locks=True,
        below=lambda _: note_changes(kept.slot),
        then=then,
    )


def note_changes(slot: str) -> None:
    """Keep what the deck sent: an edit and a kit come to the player alone."""
    write_down()
    link_sound(slot)


def draw_transport(kept: KeptTake | None, usable: bool) -> None:
    """A new take, and the same one with other settings."""
    with st.container(horizontal=True, key="dj_transport"):
        st.button(
            "Generate", type="primary", key="dj_go", shortcut="g", on_click=press_generate,
            disabled=not usable, help="A new beat, as the settings say.",
        )  # fmt: skip
        st.button(
            "Same seed again", key="dj_same", shortcut="s", on_click=play_same_seed,
            disabled=not (usable and kept),
            help="Once more with this seed: turn one knob and hear what it alone does.",
        )  # fmt: skip


def draw_takes() -> None:
    """The last takes, one click away."""
    if trouble := not_kept():
        st.caption(spoken(trouble))
    takes = {kept.number: kept for kept in kept_takes()}
    if len(takes) < 2:
        return
    st.session_state[ON_DECK] = take_on_deck().number
    st.pills(
        "Takes, and what stands out in each",
        list(takes),
        format_func=lambda number: takes[number].label,
        key=ON_DECK,
        required=True,
        on_change=recall,
        persist_state="session",
    )


def recall() -> None:
    """Play the take that was just chosen, and set the controls as they were for it."""
    kept = take_on_deck()
    if kept:
        st.session_state[NEXT] = {"style": None, **kept.settings}
        note_later(kept.beat, "replay")
        sound(kept)
        at_once()


def set_next(settings: Mapping[str, Any]) -> None:
    """Have the next run set the controls so: once drawn, they cannot be set any more."""
    st.session_state[NEXT] = dict(settings)


# -- temperature strip -----------------------------------------------------------------------


def draw_strip(model: ModelInfo, kept: KeptTake) -> None:
    """One seed at five temperatures side by side."""
    st.html('<h2 class="dj-head">Temperature strip</h2>')
    if st.button("Play this seed at five temperatures", key="dj_strip_go", shortcut="t"):
        try:
            bars = len(STRIP) * bars_asked(request_of(model, kept.settings))
            with turn_to_play("Making five takes…", bars):
                st.session_state[STRIP_TAKES] = strip_takes(model, kept.settings)
        except DigitalDJError as error:
            st.warning(spoken(error))
    strip: dict[str, KeptTake] = st.session_state.get(STRIP_TAKES, {})
    if strip:
        for (label, one), column in zip(strip.items(), st.columns(len(strip)), strict=True):
            with column:
                draw_strip_take(label, one)


def strip_takes(model: ModelInfo, settings: Mapping[str, Any]) -> dict[str, KeptTake]:
    """The takes of the strip, by label. Raises GenerationError and CheckpointError."""
    player_of = loaded(model)
    takes = {}
    for number_, (label, temperature) in enumerate(STRIP.items()):
        take = player_of.generate(request_of(model, settings, temperature))
        changed = {"sampling": TEMPERATURE, "temperature": temperature}
        takes[label] = KeptTake(number_, take, {**settings, **changed})
    return takes


def draw_strip_take(label: str, kept: KeptTake) -> None:
    """One temperature: what it played, how varied it is, and a way to hear it."""
    take = kept.take
    st.html(
        f'<div class="dj-strip"><b>{escape(label)}</b>'
        f"<span><b>{take.distinct_notes:,}</b> of {len(take.notes):,} distinct</span></div>"
    )
    listen(take.beat, key=f"dj_hear_{label}", name=f"Temperature {label}")
    st.button(
        "To deck",
        key=f"dj_deck_{label}",
        on_click=to_deck,
        args=(take, kept.settings),
        width="stretch",
    )


def to_deck(take: Take, settings: Mapping[str, Any]) -> None:
    """Put a take of the strip on deck, controls and all."""
    sound(keep_take(take, settings))
    st.session_state[NEXT] = {"style": None, **settings}
    at_once()


# -- how it was made -------------------------------------------------------------------------


def draw_making(kept: KeptTake) -> None:
    """Which notes a take is made of, as in the paper's Figures 1 to 3, and what made it."""
    left, right = st.columns([1.4, 1], gap="large")
    with left:
        st.html('<h2 class="dj-head">What it played most</h2>')
        notes = kept.take.notes
        title = f"{kept.take.distinct_notes} of {len(notes)} notes are distinct"
        show_counts(Counter(notes).most_common(MOST_PLAYED), title)
    with right:
        st.html('<h2 class="dj-head">How it was made</h2>')
        show_facts(making(kept))


def making(kept: KeptTake) -> dict[str, str]:
    """What a take came from, in a DJ's words."""
    origin, settings = kept.take.beat.provenance, kept.take.beat.provenance.settings
    if shaped := shaped_facts(kept.take.beat):
        return shaped
    facts = {
        "Model": f"{kept.settings['model']} ({(origin.model_sha256 or '')[:8]})",
        "Learned from": origin.corpus or "unknown",
        "Genre": genre_label(kept.take.beat.genre) or "not asked",
        "Temperature": f"{settings['temperature']:g}" if settings["temperature"] else "0 (greedy)",
        **playing(settings),
        "Seed": f"{origin.seed}",
    }
    if "style" in settings:
        facts["Style"] = f"number {settings['style']:,}, drawn by taste; the link holds it"
    if drawn := settings.get("played_start_note"):
        facts["Start note"] = settings["start_note"] or f"{drawn} (model's choice)"
    return facts


def playing(settings: Mapping[str, Any]) -> dict[str, str]:
    """How a take was to be played: its feel, or the rhythm of a model that writes notes."""
    if "feel" not in settings:
        return {"Rhythm": "even" if settings["spacing"] == "fixed" else "as learned"}
    feel = Feel(**settings["feel"])
    asked = {
        "Part of the track": feel.role,
        "Energy": f"{feel.energy} of {MOST_ENERGY}" if feel.energy else "",
        "Density": DENSITIES[feel.density] if feel.density else "",
        "Loudness": LOUDNESSES[feel.loudness] if feel.loudness else "",
        "Hits": f"{feel.hits:g}" if feel.hits != DEFAULT_FEEL.hits else "",
        "Dynamics": f"{feel.velocity:g}" if feel.velocity != DEFAULT_FEEL.velocity else "",
        "Timing": f"{feel.timing:g}" if feel.timing != DEFAULT_FEEL.timing else "",
    }
    kinds = {kind: label for label, kind in KIND_OF.items()}
    return {
        "Meter": settings["meter"],
        "Played as": kinds[feel.kind].lower(),
        **{name: words.lower() for name, words in asked.items() if words},
    }


run_page(main)
