"""The controls of Generate: draws them, reads them, restores them, makes a request of them.

Their values stand in the visitor's link, by the keys in `CONTROLS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.library.library import SHIPPED_SOUNDFONTS, Library, ModelInfo
from dj_core.models.request import DEFAULT_FEEL, Feel, GenerationRequest, with_style_drawn
from dj_core.music.beat import DEFAULT_TEMPO_BPM, Meter
from dj_core.music.genres import (
    GENRE,
    GENRES,
    MOST_ENERGY,
    ROLES,
    genre_label,
    genre_name,
    typical_tempo_bpm,
)
from dj_core.sound.render import SoundFont, find_soundfonts
from dj_ui.tasting import choose_more_me
from dj_ui.words import spoken

ANY, MODELS_CHOICE, BEST_SOUND = "Any", "Model's choice", "Best at hand"
BARS, NOTES = "Bars", "Notes"
GREEDY, AS_LEARNED, TEMPERATURE = "Greedy", "As learned", "Temperature"
EVEN = "Even"
RHYTHMS = (AS_LEARNED, EVEN)
KIND_OF = {"Beat": "beat", "Fill": "fill", "Either": ""}
OPENING_GENRE = "house"  # where a visitor begins
DANCE_BARS, OTHER_BARS = 8, 4
ROLE_OF = {role.capitalize(): role for role in ("groove", *ROLES)}
ENERGIES = (ANY, *(str(level) for level in range(1, MOST_ENERGY + 1)))
DENSITIES = (ANY, "Sparse", "Light", "Full", "Dense")
LOUDNESSES = (ANY, "Soft", "Medium", "Strong", "Loud")
LARGEST_SEED = 999_999_999

# What makes a take, by the names they have in a link: from and to for numbers, the choices there
# are, or `str` where the model has the choices.
SPANS = {
    "bars": (1, 64),
    "notes": (1, 2_000),
    "tempo": (40, 300),
    "seed": (0, LARGEST_SEED),
    "style": (0, 2**31 - 1),  # of a groove model's table; no control shows it
    "top_p": (5, 100),
    "temperature": (0.0, 5.0),
    "feel": (0.0, 2.0),
    "hits": (0.0, 2.0),
    "dynamics": (0.0, 2.0),
    "timing": (0.0, 2.0),
}
CHOICES = {
    "length": (BARS, NOTES),
    "sampling": (GREEDY, AS_LEARNED, TEMPERATURE),
    "rhythm": RHYTHMS,
    "kind": tuple(KIND_OF),
    "role": tuple(ROLE_OF),
    "energy": ENERGIES,
    "density": DENSITIES,
    "loudness": LOUDNESSES,
}
OF_THE_MODEL = ("model", "genre", "meter", "start")
CONTROLS = (*OF_THE_MODEL, *SPANS, *CHOICES)


# -- drawn -----------------------------------------------------------------------------------


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
        on_change=forget_style,
    )
    return models[label]


def choose_settings(library: Library, model: ModelInfo) -> dict[str, Any]:
    """The controls that make a take; the values of those the model has, by key."""
    if model.genres:
        choose_genre(model)
    if model.has_feel:
        choose_more_me(forget_style)
    choose_length(model)
    number(
        "Next take at (BPM)", "tempo", usual_tempo_bpm(st.session_state.get("genre", "")),
        "The tempo of what is made next. It follows the deck's, and a genre's usual one; what "
        "plays now is the deck's. Any style comes at its own.",
        disabled=draws_style(model, st.session_state.get("genre")),
    )  # fmt: skip
    choose_odds(model)
    if model.has_feel:
        choose_feel()
    st.number_input(
        "Seed", *SPANS["seed"], None, 1, key="seed", placeholder="a new one", bind="query-params",
        help="Same seed and settings, same beat, on every machine."
    )  # fmt: skip
    with st.expander("More"):
        choose_details(model)
        for broken in library.broken_models():
            st.caption(spoken(broken.reason))
    return {key: value for key, value in set_controls().items() if key in asked_of(model)}


def choose_genre(model: ModelInfo) -> None:
    """The style: dance styles first, family by family, then the drummers' genres."""
    known = [genre for genre in GENRES if genre.name in model.genres]
    others = sorted(set(model.genres) - set(GENRE))
    labels = [ANY, *(genre.label for genre in known), *map(genre_label, others)]
    drop_unless("genre", labels)
    # the link holds the style's plain name, not what the picker shows beside it
    if (asked := st.query_params.get("genre")) in labels and "genre" not in st.session_state:
        st.session_state.genre = asked
    opening = genre_label(OPENING_GENRE)
    chosen = st.selectbox(
        "Style",
        labels,
        labels.index(opening) if opening in labels else 0,
        key="genre",
        format_func=style_choice,
        on_change=follow_genre,
        persist_state="session",
        help="Type to search: a style, a family, a tempo.",
    )
    if chosen != opening or "genre" in st.query_params:
        st.query_params["genre"] = chosen
    if (genre := GENRE.get(genre_name(chosen))) and genre.says:
        st.caption(genre.says)


def style_choice(label: str) -> str:
    """A style as the picker lists it: its name, its tempos and the family it belongs to."""
    genre = GENRE.get(genre_name(label))
    if genre is None or label == ANY:
        return "Any: a dance style is drawn" if label == ANY else label
    if not genre.is_dance:
        return f"{label} · {genre.family}"
    slowest, fastest = genre.tempo_range_bpm
    family = "" if genre.family == label else f" · {genre.family}"
    return f"{label} · {slowest:g} to {fastest:g} BPM{family}"


def usual_tempo_bpm(label: str) -> int:
    """The tempo a style usually has, by its label."""
    return round(typical_tempo_bpm(genre_name(label)) or DEFAULT_TEMPO_BPM)


def draws_style(model: ModelInfo, label: str | None) -> bool:
    """Whether the model draws a dance style, which comes with its own tempo."""
    return label == ANY and any(GENRE[name].is_dance for name in model.genres if name in GENRE)


def has_roles(label: str | None) -> bool:
    """Whether beats of a style can play a part in a track: intro, build, drop and so on."""
    genre = GENRE.get(genre_name(label or ""))
    return label == ANY or (genre is not None and genre.is_dance)


def asked_of(model: ModelInfo) -> frozenset[str]:
    """The controls that a model has."""
    in_notes = model.counts_notes
    has = {
        "genre": bool(model.genres),
        "meter": bool(model.meters),
        "length": in_notes,
        "notes": in_notes and st.session_state.get("length") == NOTES,
        "bars": not in_notes or st.session_state.get("length") != NOTES,
        **dict.fromkeys(("sampling", "start", "rhythm"), in_notes),
        **dict.fromkeys(("kind", "density", "loudness", "style"), model.has_feel),
        **dict.fromkeys(
            ("role", "energy"), model.has_feel and has_roles(st.session_state.get("genre"))
        ),
        **dict.fromkeys(("feel", "hits", "dynamics", "timing"), model.has_feel),
    }
    return frozenset(key for key in CONTROLS if has.get(key, True))


def choose_length(model: ModelInfo) -> None:
    """Length in bars or, for a model that thinks in notes, in notes."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="dj_length"):
        in_notes = model.counts_notes and (
            st.segmented_control(
                "Length",
                CHOICES["length"],
                default=BARS,
                key="length",
                required=True,
                bind="query-params",
            )
            == NOTES
        )
        if in_notes:
            number("Notes", "notes", 500)
        else:
            number("Bars", "bars", DANCE_BARS if model.has_feel else OTHER_BARS)
        if model.meters:
            meters = [str(meter) for meter in model.meters]
            drop_unless("meter", meters)
            st.selectbox("Meter", meters, key="meter", bind="query-params")


def choose_odds(model: ModelInfo) -> None:
    """How daring the choice of notes is; the paper's three ways for a model that writes notes."""
    in_notes = model.counts_notes
    if in_notes:
        st.segmented_control(
            "Choice of notes",
            CHOICES["sampling"],
            default=TEMPERATURE,
            key="sampling",
            required=True,
            bind="query-params",
            help="Greedy always takes the likeliest next note, and soon repeats itself. As learned "
            "draws each note as often as the model heard it in such a place. Temperature goes as "
            "far from that as *Daring* says.",
        )
    st.slider(
        "Daring (temperature)",
        *SPANS["temperature"],
        1.0,
        0.1,
        key="temperature",
        disabled=in_notes and st.session_state.sampling != TEMPERATURE,
        bind="query-params",
        help="Below 1 the model plays safe, above 1 it takes risks; at 0 it always plays what is "
        "likeliest.",
    )


def choose_feel() -> None:
    """How a beat shall be played, for a model that plays as drummers do."""
    part_slider(
        "Feel", "feel",
        "How freely dynamics and timing are played: 0 even and tight, 1 as drummers play, "
        "2 loose. The notes stay near the same.",
    )  # fmt: skip
    st.segmented_control(
        "Kind of take", list(KIND_OF), default="Beat", key="kind", required=True,
        bind="query-params",
        help="A beat to loop, a fill from its first bar to its last, or whichever comes.",
    )  # fmt: skip
    if has_roles(st.session_state.get("genre")):
        with st.container(horizontal=True, key="dj_role"):
            st.selectbox(
                "Part of the track", CHOICES["role"], key="role", bind="query-params",
                help="What the beat is for: a groove to play on, or the intro, build, break, drop "
                "or outro around it.",
            )  # fmt: skip
            st.selectbox(
                "Energy", ENERGIES, key="energy", bind="query-params",
                help="From 1, few and dark drums, to 5, many and bright ones.",
            )  # fmt: skip


def part_slider(label: str, key: str, help_: str) -> None:
    """A temperature of one part of the playing; 1 is as learned."""
    st.slider(label, *SPANS[key], 1.0, 0.1, key=key, bind="query-params", help=help_)


def forget_style() -> None:
    """The style of the take on deck is none of another genre's or model's."""
    st.session_state["style"] = None


def follow_genre() -> None:
    """Set the tempo a genre that was just chosen usually has."""
    forget_style()
    st.session_state.tempo = usual_tempo_bpm(st.session_state.genre)


def choose_details(model: ModelInfo) -> None:
    """Settings a DJ needs now and then."""
    if model.counts_notes:
        choose_notes(model)
    if model.has_feel:
        with st.container(horizontal=True, key="dj_levels"):
            st.selectbox("Density", DENSITIES, key="density", bind="query-params")
            st.selectbox("Loudness", LOUDNESSES, key="loudness", bind="query-params")
        part_slider("Hits", "hits", "How daring the pattern is, whatever its feel.")
        part_slider("Dynamics", "dynamics", "How freely loud and soft are played.")
        part_slider("Timing", "timing", "How freely hits lie around the grid.")
    st.slider(
        "Keep to the likeliest", *SPANS["top_p"], 100, 5, format="%d%%", key="top_p",
        bind="query-params",
        help="At 100% any note may come, the rarest too; at less, the rarest never do (top p).",
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


@st.cache_data(ttl=60, show_spinner=False)
def soundfonts(folder: str) -> tuple[SoundFont, ...]:
    """The SoundFonts of the product, the DJ and the system."""
    return find_soundfonts(SHIPPED_SOUNDFONTS, Path(folder))


def number(
    label: str, key: str, default: int, help_: str | None = None, disabled: bool = False
) -> None:
    """A whole number that is part of the link."""
    st.number_input(
        label, *SPANS[key], default, 1, key=key, bind="query-params", help=help_, disabled=disabled
    )


def drop_unless(key: str, choices: Mapping[str, Any] | list[str]) -> None:
    """Forget a control's value when another model or folder does not offer it."""
    if st.session_state.get(key) not in (None, *choices):
        del st.session_state[key]


# -- read and set ----------------------------------------------------------------------------


def set_controls() -> dict[str, Any]:
    """The controls' values by key; None for one that the model does not have."""
    return {key: st.session_state.get(key) for key in CONTROLS}


def restore(settings: Mapping[str, Any]) -> None:
    """Set the controls; before they are drawn. What a control cannot show is left out."""
    for key, value in settings.items():
        if can_show(key, value):
            st.session_state[key] = value


def can_show(key: str, value: object) -> bool:
    """Whether a control can have a value; the seed's and the style's may be empty."""
    if key in SPANS:
        low, high = SPANS[key]
        if value is None:
            return key in ("seed", "style")
        return type(value) is type(low) and low <= value <= high
    return isinstance(value, str) and (key not in CHOICES or value in CHOICES[key])


def request_of(
    model: ModelInfo, settings: Mapping[str, Any], temperature: float | None = None
) -> GenerationRequest:
    """The controls as a request; `temperature` overrides theirs. Raises GenerationError."""
    thinks_in_notes = model.counts_notes
    in_notes = thinks_in_notes and settings["length"] == NOTES
    chosen = settings["temperature"]
    if thinks_in_notes:
        chosen = {GREEDY: 0.0, AS_LEARNED: 1.0}.get(settings["sampling"], chosen)
    genres = {genre_label(name): name for name in model.genres}
    start = settings["start"]
    request = GenerationRequest(
        genre=genres.get(settings["genre"], ""),
        tempo_bpm=None if draws_style(model, settings["genre"]) else float(settings["tempo"]),
        meter=Meter.parse(settings["meter"]) if model.meters else Meter(),
        bars=None if in_notes else settings["bars"],
        notes=settings["notes"] if in_notes else None,
        temperature=chosen if temperature is None else temperature,
        top_p=settings["top_p"] / 100,
        seed=settings["seed"],
        start_note=start if thinks_in_notes and start != MODELS_CHOICE else None,
        spacing="fixed" if thinks_in_notes and settings["rhythm"] == EVEN else None,
        feel=feel_of(settings) if model.has_feel else DEFAULT_FEEL,
        style=settings.get("style") if model.has_feel else None,
    )
    return with_style_drawn(request, model.genres) if draws_style(model, ANY) else request


def feel_of(settings: Mapping[str, Any]) -> Feel:
    """The controls of the playing as a request has them."""
    return Feel(
        kind=KIND_OF[settings["kind"]],
        role=ROLE_OF.get(settings.get("role") or "", ""),
        energy=ENERGIES.index(settings.get("energy") or ANY),
        density=DENSITIES.index(settings["density"]),
        loudness=LOUDNESSES.index(settings["loudness"]),
        hits=settings["hits"],
        velocity=settings["feel"] * settings["dynamics"],
        timing=settings["feel"] * settings["timing"],
    )
