"""The player: a beat's display, its sound, its steps and its files."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

import streamlit as st

from dj_core.beat import Beat
from dj_core.errors import SoundError
from dj_core.genres import genre_label
from dj_core.midi import midi_bytes
from dj_core.naming import beat_stem
from dj_core.storage import sha256_of
from dj_ui.grid import step_grid
from dj_ui.words import counted

WAVE_COLUMNS = 120  # of a waveform
SOUNDS_KEPT = 24  # rendered loops, for all visitors together; four bars are 1.4 MB


def player(
    beat: Beat,
    kit: str = "standard",
    soundfont: Path | None = None,
    *,
    key: str,
    name: str = "",
    autoplay: bool = False,
    transport: Callable[[], None] | None = None,
) -> None:
    """Show a beat that can be heard and taken away.

    Args:
        beat: what to show.
        kit: a name from `dj_core.render.KITS`.
        soundfont: the DJ's own .sf2 file, or None for the best one at hand.
        key: unique on the page.
        name: what to call it; '' for the beat's own title.
        autoplay: start playing; for the run that a click on a play button began.
        transport: draws the buttons between display and steps.
    """
    try:
        sound, outline = loop_sound(content_key(beat), beat, kit, soundfont)
        silence = ""
    except SoundError as error:
        sound, outline, silence = b"", (), str(error)
    st.html(display(beat, outline, name))
    if transport:
        transport()
    if sound:
        st.audio(sound, format="audio/wav", loop=True, autoplay=autoplay, alt=name or _name(beat))
    else:
        st.info(silence)
    _downloads(beat, sound, key)
    st.html(step_grid(beat))


def audition(
    beat: Beat, kit: str = "standard", soundfont: Path | None = None, *, steps: bool = False
) -> None:
    """Play a beat at once, without a display; with its steps if asked."""
    try:
        sound, _ = loop_sound(content_key(beat), beat, kit, soundfont)
        st.audio(sound, format="audio/wav", loop=True, autoplay=True, alt=_name(beat))
    except SoundError as error:
        st.info(str(error))
    if steps:
        st.html(step_grid(beat))


def display(beat: Beat, outline: tuple[float, ...] = (), name: str = "") -> str:
    """The two lines of the player's display: name and waveform, then tempo, bars and meter."""
    seed = beat.provenance.seed
    facts = [
        f"<b>{beat.playing_tempo_bpm:.5g}</b> BPM",
        f"<b>{counted(beat.bars, 'bar')}</b>",
        f"<b>{beat.meter}</b>",
    ]
    facts.append(f"<b>{len(beat.hits)}</b> strokes")
    if seed is not None:
        facts.append(f"seed <b>{seed}</b>")
    words = "".join(f"<span>{fact}</span>" for fact in facts)
    return (
        f'<div class="dj-display"><div class="dj-name">{escape(name or _name(beat))}</div>'
        f'{_waveform(outline)}<div class="dj-facts">{words}</div></div>'
    )


def content_key(beat: Beat) -> str:
    """A name for what a beat sounds like: the same for equal music, whatever its title."""
    music = (beat.hits, beat.bars, beat.meter, beat.playing_tempo_bpm)
    return sha256_of(repr(music).encode())


@st.cache_data(max_entries=SOUNDS_KEPT, show_spinner=False)
def loop_sound(
    content: str, _beat: Beat, kit: str, soundfont: Path | None
) -> tuple[bytes, tuple[float, ...]]:
    """A beat as a seamless loop: WAV bytes, and its outline of `WAVE_COLUMNS` peaks (0 to 1).

    `content` is the beat's `content_key`: rendering happens once for the same music, kit and
    SoundFont. Raises SoundError.
    """
    import numpy as np

    from dj_core.render import render, wav_bytes

    audio = render(_beat, kit, soundfont, loop=True)
    loud = np.abs(audio.samples.astype(np.int32)).max(axis=1)
    peaks = [part.max(initial=0) / 32_768 for part in np.array_split(loud, WAVE_COLUMNS)]
    return wav_bytes(audio), tuple(float(peak) for peak in peaks)


def show_figure(svg: bytes, alt: str) -> None:
    """A figure as an image with a text for those who do not see it."""
    data = base64.b64encode(svg).decode()
    st.html(f'<img class="dj-figure" alt="{escape(alt)}" src="data:image/svg+xml;base64,{data}">')


def show_facts(facts: Mapping[str, str]) -> None:
    """Facts as a quiet two-column list."""
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(fact)}</dd>" for name, fact in facts.items()
    )
    st.html(f'<dl class="dj-list">{rows}</dl>')


def show_readouts(numbers: Mapping[str, str]) -> None:
    """Numbers side by side, each under its name."""
    tiles = [f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in numbers.items()]
    st.html(f'<dl class="dj-readouts">{"".join(f"<div>{tile}</div>" for tile in tiles)}</dl>')


def _downloads(beat: Beat, sound: bytes, key: str) -> None:
    stem = beat_stem(beat)
    with st.container(horizontal=True, key=f"dj_files_{key}"):
        st.download_button(
            "MIDI",
            midi_bytes(beat),
            f"{stem}.mid",
            "audio/midi",
            key=f"{key}_midi",
            on_click="ignore",
            help="General MIDI drums on channel 10: plays right in every program and drum rack.",
        )
        st.download_button(
            "WAV loop",
            sound,
            f"{stem}.wav",
            "audio/wav",
            key=f"{key}_wav",
            on_click="ignore",
            disabled=not sound,
            help="44.1 kHz, exactly as long as its bars, so that it loops without a gap.",
        )
        st.download_button(
            "MIDI, original notes",
            midi_bytes(beat, notes="as-in-corpus"),
            f"{stem}_original.mid",
            "audio/midi",
            key=f"{key}_original",
            on_click="ignore",
            help="The note numbers of the beats it was learned from, for the drum software "
            "they were made with.",
        )


def _name(beat: Beat) -> str:
    parts = [beat.title, genre_label(beat.genre) if beat.genre else ""]
    return " · ".join(part for part in parts if part) or beat.provenance.source or "Beat"


def _waveform(outline: tuple[float, ...]) -> str:
    top = max(outline, default=0) or 1
    columns = "".join(f'<i style="--v:{max(peak / top, 0.02):.2f}"></i>' for peak in outline)
    return f'<div class="dj-wave" aria-hidden="true">{columns}</div>'
