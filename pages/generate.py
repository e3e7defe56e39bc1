"""Generate: say what a model shall play, hear it, keep it."""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from math import isinf
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.beat import DEFAULT_TEMPO_BPM, Meter
from dj_core.errors import DigitalDJError
from dj_core.genres import genre_label, genre_name, typical_tempo_bpm
from dj_core.library import SHIPPED_SOUNDFONTS, Library, ModelInfo
from dj_core.render import SoundFont, find_soundfonts
from dj_core.sampling import (
    DEFAULT_FEEL,
    GROOVE_FAMILY,
    Feel,
    GenerationRequest,
    Take,
)
from dj_ui.crate import leave_crate, taken_from_crate
from dj_ui.deck import DEFAULT_KIT, choose_kit, chosen_kit, listen
from dj_ui.frame import open_page, run_page
from dj_ui.models import loaded
from dj_ui.opening import opening_beat
from dj_ui.player import player, show_counts, show_facts
from dj_ui.shaping import draw_shaping, put_shaped, shaped_facts
from dj_ui.takes import (
    ON_DECK,
    KeptTake,
    bring_back,
    keep_take,
    kept_takes,
    take_on_deck,
    write_down,
)
from dj_ui.turns import turn_to_play
from dj_ui.words import spoken

ANY, MODELS_CHOICE, BEST_SOUND = "Any", "Model's choice", "Best at hand"
BARS, NOTES = "Bars", "Notes"
GREEDY, AS_LEARNED, TEMPERATURE = "Greedy", "As learned", "Temperature"
EVEN = "Even"
RHYTHMS = (AS_LEARNED, EVEN)
KIND_OF = {"Beat": "beat", "Fill": "fill", "Either": ""}
DENSITIES = (ANY, "Sparse", "Light", "Full", "Dense")
LOUDNESSES = (ANY, "Soft", "Medium", "Strong", "Loud")
NOTES_FAMILY = "notes"  # models that write note after note and can be asked for their number
STRIP = {GREEDY: 0.0, "0.5": 0.5, "1": 1.0, "2": 2.0, "5": 5.0}
LARGEST_SEED = 999_999_999
NEW_SEEDS = 100_000  # short enough to read out to somebody

# What makes a take, by the names they have in a link.
CONTROLS = (
    "model",
    "genre",
    "length",
    "bars",
    "notes",
    "meter",
    "tempo",
    "sampling",
    "temperature",
    "top_p",
    "start",
    "rhythm",
    "kind",
    "density",
    "loudness",
    "feel",
    "hits",
    "dynamics",
    "timing",
    "seed",
)
LINK = "dj_link"
WISH = "dj_wish"  # a take is to be made: True to be heard, False to be seen
NEXT = "dj_next"  # values that controls take on when they are drawn again
STAGE = "dj_stage_alone"  # the part of the page that answers a click by itself
ALONE, DRAWN = "dj_alone", "dj_drawn"  # whether it shall; the model the controls were drawn for
HEAD_START_SECONDS = 0.2  # of a beat on its way to the deck, before the rest of the page follows
SOUNDING = "dj_sounding"  # (number of a take, token): the take that starts by itself, once
STRIP_TAKES = "dj_strip"
MOST_PLAYED = 10  # notes in the count, as in the paper's Figures 1 to 3


def main() -> None:
    """The page, top to bottom."""
    open_page("Generate")
    st.session_state.pop(ALONE, None)
    restore(st.session_state.pop(NEXT, {}))
    asked = read_link()
    came_back = bring_back()
    follow_kit(asked)
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
    if "seed" in asked and settings.get("seed") is not None and not came_back:
        st.session_state.setdefault(WISH, False)
    st.session_state[DRAWN] = st.session_state.get("model")
    with stage:
        tell_refused(asked, settings)
        put_shaped(sound)
        draw_stage(model, soundfont)
    kept = take_on_deck()
    with go:
        draw_transport(kept, usable=model is not None)
    with stage:
        draw_takes()
    if model and kept and not taken_from_crate():
        draw_shaping(kept, partial(loaded, model), model.family == GROOVE_FAMILY, set_next)
        draw_strip(model, kept)
        draw_making(kept)
    write_down()


# -- link ------------------------------------------------------------------------------------


def read_link() -> Mapping[str, str]:
    """What the link of this visit asks for; nothing once it was told."""
    asked = st.session_state.setdefault(LINK, st.query_params.to_dict())
    endless = {key for key in st.query_params if any(map(is_endless, st.query_params.get_all(key)))}
    if endless:  # Streamlit 1.67 cannot read infinity as a whole number: come again without it
        kept = {key: text for key, text in asked.items() if key not in endless}
        st.switch_page("pages/generate.py", query_params=kept)
    return asked


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


def same_value(text: str, value: object) -> bool:
    """Whether a link's text means a control's value."""
    try:
        return float(text) == value
    except ValueError:
        return text == str(value)


# -- controls --------------------------------------------------------------------------------


def choose_model(library: Library) -> ModelInfo:
    """The model to play. Raises CheckpointError when there is none."""
    models = {model.label: model for model in library.models()}
    if not models:
        library.model()  # says what to do
    default = next((model for model in models.values() if model.default), None)
    drop_unless("model", models)
    label = st.selectbox(
        "Model",
        list(models),
        list(models).index(default.label) if default else 0,
        key="model",
        bind="query-params",
    )
    return models[label]


def choose_settings(library: Library, model: ModelInfo) -> dict[str, Any]:
    """The controls that make a take; their values by key."""
    genres = {ANY: "", **{genre_label(name): name for name in model.genres}}
    if model.genres:
        drop_unless("genre", genres)
        st.selectbox(
            "Genre", list(genres), key="genre", on_change=follow_genre, bind="query-params"
        )
    choose_length(model)
    number("Tempo (BPM)", "tempo", 40, 300, round(DEFAULT_TEMPO_BPM))
    choose_odds(model)
    if model.has_feel:
        choose_feel()
    st.number_input(
        "Seed", 0, LARGEST_SEED, None, 1, key="seed", placeholder="a new one", bind="query-params",
        help="Same seed and settings, same beat, on every machine."
    )  # fmt: skip
    with st.expander("More"):
        choose_details(model)
        for broken in library.broken_models():
            st.caption(spoken(broken.reason))
    return set_controls()


def set_controls() -> dict[str, Any]:
    """The controls' values by key; None for one that the model does not have."""
    return {key: st.session_state.get(key) for key in CONTROLS}


def choose_length(model: ModelInfo) -> None:
    """Length in bars or, for a model that thinks in notes, in notes."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="dj_length"):
        in_notes = model.family == NOTES_FAMILY and (
            st.segmented_control(
                "Length",
                [BARS, NOTES],
                default=BARS,
                key="length",
                required=True,
                bind="query-params",
            )
            == NOTES
        )
        if in_notes:
            number("Notes", "notes", 1, 2_000, 500)
        else:
            number("Bars", "bars", 1, 64, 4)
        if model.meters:
            meters = [str(meter) for meter in model.meters]
            drop_unless("meter", meters)
            st.selectbox("Meter", meters, key="meter", bind="query-params")


def choose_odds(model: ModelInfo) -> None:
    """How daring the choice of notes is; the paper's three ways for a model that writes notes."""
    in_notes = model.family == NOTES_FAMILY
    if in_notes:
        st.segmented_control(
            "Choice of notes",
            [GREEDY, AS_LEARNED, TEMPERATURE],
            default=TEMPERATURE,
            key="sampling",
            required=True,
            bind="query-params",
            help="Greedy always takes the likeliest next note. As learned draws notes as often as "
            "the model expects them (multinomial). Temperature bends those odds: below 1 plays "
            "safe, above 1 takes risks.",
        )
    st.slider(
        "Temperature",
        0.0,
        5.0,
        1.0,
        0.1,
        key="temperature",
        disabled=in_notes and st.session_state.sampling != TEMPERATURE,
        bind="query-params",
        help="Below 1 plays safe, above 1 takes risks; 0 always plays what is likeliest.",
    )


def choose_feel() -> None:
    """How a beat shall be played, for a model that plays as drummers do."""
    part_slider(
        "Feel", "feel",
        "How freely dynamics and timing are played: 0 even and tight, 1 as drummers play, "
        "2 loose. The notes stay near the same.",
    )  # fmt: skip
    st.segmented_control(
        "Play", list(KIND_OF), default="Beat", key="kind", required=True, bind="query-params"
    )
    with st.container(horizontal=True, key="dj_levels"):
        st.selectbox("Density", DENSITIES, key="density", bind="query-params")
        st.selectbox("Loudness", LOUDNESSES, key="loudness", bind="query-params")


def part_slider(label: str, key: str, help_: str) -> None:
    """A temperature of one part of the playing; 1 is as learned."""
    st.slider(label, 0.0, 2.0, 1.0, 0.1, key=key, bind="query-params", help=help_)


def follow_genre() -> None:
    """Set the tempo a genre that was just chosen usually has."""
    name = genre_name(st.session_state.genre)
    st.session_state.tempo = round(typical_tempo_bpm(name) or DEFAULT_TEMPO_BPM)


def choose_details(model: ModelInfo) -> None:
    """Settings a DJ needs now and then."""
    if model.family == NOTES_FAMILY:
        choose_notes(model)
    if model.has_feel:
        part_slider("Hits", "hits", "How daring the pattern is, whatever its feel.")
        part_slider("Dynamics", "dynamics", "How freely loud and soft are played.")
        part_slider("Timing", "timing", "How freely hits lie around the grid.")
    st.slider(
        "Keep to the likeliest", 5, 100, 100, 5, format="%d%%", key="top_p", bind="query-params",
        help="Below 100%, rare notes are never drawn.",
    )  # fmt: skip


def choose_notes(model: ModelInfo) -> None:
    """What only a model that thinks in notes can be asked: where to start, and how to space."""
    starts = [MODELS_CHOICE, *(name for name, _ in model.card["start_notes"] if name != "rest")]
    drop_unless("start", starts)
    st.selectbox("Start note", starts[:200], key="start", bind="query-params")
    st.segmented_control(
        "Rhythm",
        list(RHYTHMS),
        default=AS_LEARNED,
        key="rhythm",
        required=True,
        bind="query-params",
        help="Even spaces all notes alike, half a beat each, as in the paper.",
    )


def follow_kit(asked: Mapping[str, str]) -> None:
    """Take the kit that a link names; then keep the link true to the deck's choice."""
    choose_kit(asked.get("kit", ""))
    if "kit" in st.query_params or chosen_kit() != DEFAULT_KIT:
        st.query_params["kit"] = chosen_kit()


def choose_soundfont(library: Library) -> Path | None:
    """The SoundFont to hear beats with; None for the best one at hand."""
    fonts = {font.name: font for font in soundfonts(str(library.soundfonts_folder))}
    drop_unless("soundfont", [BEST_SOUND, *fonts])
    with st.expander("SoundFont"):
        chosen = st.selectbox(
            "SoundFont",
            [BEST_SOUND, *fonts],
            key="soundfont",
            persist_state="session",
            help="More .sf2 files are found in assets/soundfonts and in your own folder: "
            f"{library.soundfonts_folder}",
        )
    return fonts[chosen].path if chosen in fonts else None


def number(label: str, key: str, low: int, high: int, default: int) -> None:
    """A whole number that is part of the link."""
    st.number_input(label, low, high, default, 1, key=key, bind="query-params")


def drop_unless(key: str, choices: Mapping[str, Any] | list[str]) -> None:
    """Forget a control's value when another model or folder does not offer it."""
    if st.session_state.get(key) not in (None, *choices):
        del st.session_state[key]


# -- takes -----------------------------------------------------------------------------------


def wish(seed: int | None) -> None:
    """Ask for a take; None draws a new seed. In callbacks only, as all that calls `at_once`."""
    new = random.randrange(1, NEW_SEEDS) if seed is None else seed
    st.session_state[NEXT] = {"seed": new}
    st.session_state[WISH] = True
    at_once()


def press_generate() -> None:
    """Play what is set; a seed that is on deck already gives way to a new one."""
    kept, shown = take_on_deck(), st.session_state.get("seed")
    seed = st.session_state.get(NEXT, {}).get("seed", shown)
    wish(None if kept and kept.settings["seed"] == seed else seed)


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
    try:
        with turn_to_play("Playing…"):
            take = loaded(model).generate(request_of(model, settings))
    except DigitalDJError as error:
        st.warning(spoken(error))
        return False
    kept = keep_take(take, settings)
    leave_crate()
    if heard:
        sound(kept)
    return True


def sound(kept: KeptTake) -> None:
    """Start a take, or drop it in on the next bar while another one plays."""
    leave_crate()
    st.session_state[SOUNDING] = (kept.number, secrets.token_hex(4))


def request_of(
    model: ModelInfo, settings: Mapping[str, Any], temperature: float | None = None
) -> GenerationRequest:
    """The controls as a request; `temperature` overrides theirs. Raises GenerationError."""
    thinks_in_notes = model.family == NOTES_FAMILY
    in_notes = thinks_in_notes and settings["length"] == NOTES
    chosen = settings["temperature"]
    if thinks_in_notes:
        chosen = {GREEDY: 0.0, AS_LEARNED: 1.0}.get(settings["sampling"], chosen)
    genres = {genre_label(name): name for name in model.genres}
    start = settings["start"]
    return GenerationRequest(
        genre=genres.get(settings["genre"], ""),
        tempo_bpm=float(settings["tempo"]),
        meter=Meter.parse(settings["meter"]) if model.meters else Meter(),
        bars=None if in_notes else settings["bars"],
        notes=settings["notes"] if in_notes else None,
        temperature=chosen if temperature is None else temperature,
        top_p=settings["top_p"] / 100,
        seed=settings["seed"],
        start_note=start if thinks_in_notes and start != MODELS_CHOICE else None,
        spacing="fixed" if thinks_in_notes and settings["rhythm"] == EVEN else None,
        feel=feel_of(settings) if model.has_feel else DEFAULT_FEEL,
    )


def feel_of(settings: Mapping[str, Any]) -> Feel:
    """The controls of the playing as a request has them."""
    return Feel(
        kind=KIND_OF[settings["kind"]],
        density=DENSITIES.index(settings["density"]),
        loudness=LOUDNESSES.index(settings["loudness"]),
        hits=settings["hits"],
        velocity=settings["feel"] * settings["dynamics"],
        timing=settings["feel"] * settings["timing"],
    )


@st.cache_data(ttl=60, show_spinner=False)
def soundfonts(folder: str) -> tuple[SoundFont, ...]:
    """The SoundFonts of the product, the DJ and the system."""
    return find_soundfonts(SHIPPED_SOUNDFONTS, Path(folder))


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
            taken_as=crated.kept.item.name,
            then=then,
        )
        return
    if not kept:
        st.html('<p class="dj-invite">A starter pattern is on deck. '
                "<b>Generate</b> lets the model play its own.</p>")  # fmt: skip
        player(opening_beat(), key="deck", soundfont=soundfont, then=then)
        return
    number_, token = st.session_state.get(SOUNDING, (0, ""))
    player(
        kept.take.beat,
        key="deck",
        slot=kept.slot,
        name=kept.name,
        play=token if number_ == kept.number else None,
        soundfont=soundfont,
        below=lambda _: write_down(),  # an edit comes to the player alone
        then=then,
    )


def draw_transport(kept: KeptTake | None, usable: bool) -> None:
    """Generate, and the two ways to go on from a take."""
    with st.container(horizontal=True, key="dj_transport"):
        st.button(
            "Generate", type="primary", key="dj_go", shortcut="g", on_click=press_generate,
            disabled=not usable, help="Plays what is set; pressed again, with a new seed.",
        )  # fmt: skip
        st.button(
            "Same seed", key="dj_same", shortcut="s", on_click=play_same_seed,
            disabled=not (usable and kept),
            help="Once more with this seed: turn one knob and hear what it alone does.",
        )  # fmt: skip
        st.button(
            "New seed", key="dj_new", shortcut="n", on_click=wish, args=(None,),
            disabled=not usable, help="The same settings with another seed.",
        )  # fmt: skip


def draw_takes() -> None:
    """The last takes, one click away."""
    takes = {kept.number: kept for kept in kept_takes()}
    if len(takes) < 2:
        return
    st.session_state[ON_DECK] = take_on_deck().number
    st.pills(
        "Takes: number · tempo · seed",
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
        st.session_state[NEXT] = kept.settings
        sound(kept)
        at_once()


def set_next(settings: Mapping[str, Any]) -> None:
    """Have the next run set the controls so: once drawn, they cannot be set any more."""
    st.session_state[NEXT] = dict(settings)


def restore(settings: Mapping[str, Any]) -> None:
    """Set the controls; before they are drawn."""
    for key, value in settings.items():
        if value is not None or key in ("tempo", "seed"):
            st.session_state[key] = value


# -- temperature strip -----------------------------------------------------------------------


def draw_strip(model: ModelInfo, kept: KeptTake) -> None:
    """One seed at five temperatures side by side."""
    st.html('<h2 class="dj-head">Temperature strip</h2>')
    if st.button("Play this seed at five temperatures", key="dj_strip_go", shortcut="t"):
        try:
            with turn_to_play("Playing five takes…"):
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
    st.session_state[NEXT] = settings
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
    if drawn := settings.get("played_start_note"):
        facts["Start note"] = settings["start_note"] or f"{drawn} (model's choice)"
    return facts


def playing(settings: Mapping[str, Any]) -> dict[str, str]:
    """How a take was to be played: its feel, or the rhythm of a model that writes notes."""
    if "feel" not in settings:
        return {"Rhythm": "even" if settings["spacing"] == "fixed" else "as learned"}
    feel = Feel(**settings["feel"])
    asked = {
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
