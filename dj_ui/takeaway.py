"""The download panel: MIDI in several note maps, loops, stems and one-shots."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.errors import LibraryError, SoundError
from dj_core.files.beat_json import beat_key
from dj_core.files.file_names import beat_stem, counted, safe_stem
from dj_core.files.midi import MidiSettings, midi_bytes
from dj_core.music.as_played import MOST_CYCLE_BARS, cycle_bars
from dj_core.music.beat import Beat
from dj_core.music.note_maps import NOTE_MAP, NOTE_MAPS, printed_map
from dj_core.music.traits import trait
from dj_core.sound.beat_sound import USUAL_SOUND, BeatSound
from dj_core.sound.loop_check import LoopCheck, check_loop
from dj_core.sound.loop_files import (
    LOUDNESSES_LUFS,
    TARGET_LUFS,
    LoopSettings,
    audio_file,
    heard_with,
    loop_files,
    loop_sound,
    one_shot_files,
)
from dj_ui.downloads import LastFiles, download_button
from dj_ui.drag_files import hand_out
from dj_ui.keeping import keep_button
from dj_ui.readouts import show_facts
from dj_ui.tasting import when_taken
from dj_ui.turns import turn_to_render
from dj_ui.words import spoken

_LOOPS = LastFiles(35_000_000)  # bytes, for all visitors together; four bars are 1.4 MB
ORIGINAL = "as-in-corpus"
TARGETS = {note_map.name: note_map.label for note_map in NOTE_MAPS} | {ORIGINAL: "Original notes"}
HINTS = {note_map.name: note_map.hint for note_map in NOTE_MAPS} | {
    ORIGINAL: "The note numbers of the beats it was learned from, for the drum software they "
    "were made with."
}
CHOICE_PIXELS = 320
AS_WRITTEN = "Every step once, as written"
ONE, PER_DRUM, TYPE_0 = "One", "One per drum", "Type 0"
TRACKS = {
    ONE: "Tempo and drums, as every program opens it.",
    PER_DRUM: "Every drum on a track of its own, to mix and mute apart.",
    TYPE_0: "All in a single track, for older hardware.",
}
TIMINGS = {"as-played": "As played", "straight": "Straight"}
CONTAINERS = {"wav": "WAV", "aiff": "AIFF", "flac": "FLAC"}
MIME = {"wav": "audio/wav", "aiff": "audio/aiff", "flac": "audio/flac"}
RATES = {44_100: "44.1 kHz", 48_000: "48 kHz"}
LEVELS = {f"{lufs:g}": f"{lufs:g} LUFS" for lufs in LOUDNESSES_LUFS} | {
    "peak": "Peak",
    "none": "Kit's own",
}


def takeaway(
    beat: Beat,
    *,
    key: str,
    kit: str = "standard",
    sound: BeatSound = USUAL_SOUND,
    slot: str = "",
    soundfont: Path | None = None,
    name: str = "",
    played: Callable[[int], Beat],
) -> None:
    """The two files most asked for and a way into the crate; below them every other file.

    Args:
        beat: what to take, as it is on screen.
        key: unique on the page.
        kit: a name from `dj_core.sound.kit_table.KITS`.
        sound: what the crate keeps of how it is heard.
        slot: the beat's place on the deck.
        soundfont: the DJ's own .sf2 file, or None for the best one at hand.
        name: what the DJ calls it; '' names files by genre, tempo and seed.
        played: its first so many bars as the deck plays them.
    """
    kept = beat
    if beat.has_conditions:
        lengths = _lengths(beat)
        st.selectbox(
            "Files have", [0, *lengths], index=1 + lengths.index(_usual_length(beat)),
            format_func=lambda bars: f"{counted(bars, 'bar')} as played" if bars else AS_WRITTEN,
            key=_length_key(beat, key), width=CHOICE_PIXELS,
            help="As played: with chances, loops, ratchets and lengths, from the deck's start on. "
            "As written: one round with every step in it; a MIDI file keeps the conditions too.",
        )  # fmt: skip
    beat, stem = _taken(beat, key, name, played)
    with st.container(horizontal=True, key=f"dj_files_{key}"):
        download_button(
            "MIDI", when_taken(kept, lambda: midi_bytes(beat)), f"{stem}.mid", "audio/midi",
            f"{key}_midi",
            "General MIDI drums on channel 10: plays right in every program and drum rack.",
        )  # fmt: skip
        usual = heard_with(replace(sound, kit=kit), LoopSettings(soundfont=soundfont))
        download_button(
            "WAV loop", when_taken(kept, lambda: _loop(beat, usual)), f"{stem}.wav", "audio/wav",
            f"{key}_wav",
            "44.1 kHz, 16 bit, exactly as long as its bars, with its tempo inside: decks lock "
            "to it.",
        )  # fmt: skip
        keep_button(kept, key=f"{key}_keep", name=name, sound=sound, slot=slot)
    with st.expander(
        "Take away: other machines, formats, stems, one-shots",
        key=f"{key}_take_away",
        on_change="rerun",
    ) as choices:
        if not choices.open:  # a dozen controls that a page is drawn sooner without
            return
        midi, audio = st.columns(2, gap="large")
        with midi:
            _midi_choices(beat, key, stem)
        with audio:
            _sound_choices(beat, key, stem, usual)


def files_to_drag(
    beat: Beat,
    *,
    key: str,
    sound: BeatSound,
    soundfont: Path | None,
    name: str,
    played: Callable[[int], Beat],
) -> list[dict[str, str]]:
    """The files that the deck hands out, as `takeaway` with the same arguments has them."""
    kept = beat
    beat, stem = _taken(beat, key, name, played)
    usual = heard_with(sound, LoopSettings(soundfont=soundfont))
    files: tuple[tuple[str, str, str, Callable[[], bytes]], ...] = (
        ("MIDI", f"{stem}.mid", "audio/midi", lambda: midi_bytes(beat)),
        ("WAV", f"{stem}.wav", MIME["wav"], lambda: _loop(beat, usual)),
        ("Stems", f"{stem}_stems.zip", "application/zip",
         lambda: _zip(loop_files(beat, usual, stems=True, stem_name=stem))),
    )  # fmt: skip
    return [
        hand_out(key, label, file, mime, when_taken(kept, make))
        for label, file, mime, make in files
    ]


def _taken(beat: Beat, key: str, name: str, played: Callable[[int], Beat]) -> tuple[Beat, str]:
    """What files are made of, and what they are called: as played, where that was chosen."""
    stem = _stem(beat, name)
    if not beat.has_conditions:
        return beat, stem
    bars = st.session_state.get(_length_key(beat, key), _usual_length(beat))
    return (played(bars), f"{stem}_{bars}bars") if bars else (beat, stem)


def _usual_length(beat: Beat) -> int:
    """How many bars files of a beat with conditions have unless another length is chosen."""
    cycle = cycle_bars(beat)
    by_chance = any(hit.condition and hit.condition.chance_percent < 100 for hit in beat.hits)
    return min(MOST_CYCLE_BARS, 4 * cycle) if by_chance else cycle


def _lengths(beat: Beat) -> list[int]:
    """The lengths in bars to choose from."""
    return sorted({_usual_length(beat), *(beat.bars * times for times in (1, 2, 4, 8))})


def _length_key(beat: Beat, key: str) -> str:
    return f"{key}_played_{'_'.join(map(str, _lengths(beat)))}_{_usual_length(beat)}"


# -- MIDI ------------------------------------------------------------------------------------------


def _midi_choices(beat: Beat, key: str, stem: str) -> None:
    target = st.selectbox(
        "MIDI for", list(TARGETS), format_func=TARGETS.get, key=f"{key}_target",
        persist_state="session", help="Where each drum's notes go.",
    )  # fmt: skip
    tracks = _choice("Tracks", {name: name for name in TRACKS}, f"{key}_tracks", TRACKS)
    timing = _choice(
        "Timing", TIMINGS, f"{key}_timing",
        {"straight": "Swing and microtiming are taken out: every stroke on its step."},
    )  # fmt: skip
    settings = MidiSettings(
        target=target,
        midi_type=0 if tracks == TYPE_0 else 1,
        track_per_drum=tracks == PER_DRUM,
        timing=timing,
    )
    parts = [stem, target, "straight" if timing == "straight" else ""]
    download_button(
        f"MIDI · {TARGETS[target]}",
        when_taken(beat, lambda: midi_bytes(beat, settings=settings)),
        f"{'_'.join(part for part in parts if part)}.mid",
        "audio/midi",
        f"{key}_midi_chosen",
        HINTS[target],
    )
    st.caption(HINTS[target])
    if target in NOTE_MAP:
        with st.popover("Show the notes"):
            st.markdown(printed_map(NOTE_MAP[target]))


# -- sound -----------------------------------------------------------------------------------------


def _sound_choices(beat: Beat, key: str, stem: str, usual: LoopSettings) -> None:
    container = _choice("Sound file", CONTAINERS, f"{key}_container")
    with st.container(horizontal=True, key=f"dj_width_{key}"):
        rate = _choice("Sample rate", RATES, f"{key}_rate")
        bits = _choice("Depth", {16: "16 bit", 24: "24 bit"}, f"{key}_bits")
    level = _choice(
        "Level", LEVELS, f"{key}_level",
        {
            "-20": "All loops equally loud, or as near as a true peak of -1 dB allows. Nothing is "
            "squashed.",
            "-14": "As loud as streaming plays. A limiter turns peaks down where it must.",
            "-9": "As loud as a club expects. A limiter turns peaks down, by 12 dB at most.",
            "peak": "As loud as a true peak of -1 dB allows.",
            "none": "As the kit plays, turned down only where it would clip.",
        },
    )  # fmt: skip
    settings = replace(usual, container=container, sample_rate=rate, bits=bits)
    if level in ("peak", "none"):
        settings = replace(settings, normalise=level)
    else:
        settings = replace(settings, target_lufs=float(level))
    with st.container(horizontal=True, key=f"dj_sounds_{key}"):
        download_button(
            "Loop", when_taken(beat, lambda: _loop(beat, settings)),
            f"{stem}.{container}", MIME[container],
            f"{key}_loop", "Seamless, with loop points, tempo, title and genre inside.",
        )  # fmt: skip
        download_button(
            "Stems",
            when_taken(beat, lambda: _zip(loop_files(beat, settings, stems=True, stem_name=stem))),
            f"{stem}_stems.zip", "application/zip", f"{key}_stems",
            "The mix and a loop for each drum group; together they are the mix.",
        )  # fmt: skip
        download_button(
            "One-shots", lambda: _zip(one_shot_files(usual.kit, settings)),
            f"{usual.kit}_one-shots.zip", "application/zip", f"{key}_shots",
            "The kit's sixteen drums one by one, for a sampler.",
        )  # fmt: skip
    if settings.target_lufs > TARGET_LUFS:  # what the limiter does is said before it is taken
        try:
            st.caption(f"The loop: {_level(beat, settings)}.")
        except (SoundError, LibraryError) as error:
            st.warning(spoken(error))
    if st.button("Check the loop", key=f"{key}_check", help="Reads the file back and measures it."):
        place = st.empty()
        try:
            loop = _loop(beat, settings, place.caption)
            place.empty()
            show_check(check_loop(loop))
        except (SoundError, LibraryError) as error:
            st.warning(spoken(error))


def show_check(check: LoopCheck) -> None:
    """What a loop's file holds, measured, and what is wrong with it if anything is."""
    length = f"{check.bars} × {check.meter}" if check.bars else f"{check.quarters:g} quarters"
    rows = {
        "Length": f"{length} · {check.frames:,} frames · {check.duration_seconds:.3f} s",
        "Off by": f"{check.error_frames:+.2f} frames",
        "Tempo inside": f"{check.tempo_bpm:g} BPM" if check.tempo_bpm else "none",
        "Loop points": f"{check.loop_start:,} to {check.loop_end:,}"
        if check.loop_end is not None and check.loop_start is not None
        else "none",
        "Seam": "clean join" if check.seam_step <= check.largest_step else "clicks",
        "Loudness": f"{check.loudness_lufs:.1f} LUFS",
        "True peak": f"{check.true_peak_dbtp:.1f} dB",
    }

    if check.exact:
        st.success("Decks lock to this loop: its length is exact to the frame.")
    for problem in check.problems:
        st.warning(problem)
    show_facts(rows)


def _choice(
    label: str, choices: Mapping[Any, str], key: str, help_: Mapping[Any, str] | None = None
) -> Any:  # noqa: ANN401 - one of the choices' keys
    """One of a few, remembered for the session."""
    told = "  \n".join(f"**{choices[value]}**: {words}" for value, words in (help_ or {}).items())
    return st.segmented_control(
        label, list(choices), default=next(iter(choices)), format_func=choices.get, key=key,
        required=True, persist_state="session", help=told or None,
    )  # fmt: skip


def _stem(beat: Beat, name: str) -> str:
    """What files are called, without their ending."""
    if not name:
        return f"{beat_stem(beat)}_{safe_stem(trait(beat))}"
    return f"{safe_stem(name)}_{round(beat.playing_tempo_bpm)}bpm"


def _loop(beat: Beat, settings: LoopSettings, tell: Callable[[str], object] | None = None) -> bytes:
    """Rendered once for the same beat and settings; who asks for it again does not wait in line."""
    asked = (beat_key(beat), settings)
    if (loop := _LOOPS.get(asked)) is None:
        with turn_to_render(tell):
            if (loop := _LOOPS.get(asked)) is None:  # nobody before in line wanted the same
                sound = loop_sound(beat, settings, stems=False)
                loop = audio_file(sound.mix, beat, settings)
                _LOOPS.keep((asked, "level"), sound.words.encode())
                _LOOPS.keep(asked, loop)
    return loop


def _level(beat: Beat, settings: LoopSettings) -> str:
    """How loud a loop is, and what that took."""
    _loop(beat, settings)
    return (_LOOPS.get(((beat_key(beat), settings), "level")) or b"").decode()


def _zip(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Files as a zip that is the same for the same files; sound hardly shrinks."""
    buffer = BytesIO()
    with turn_to_render(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()
