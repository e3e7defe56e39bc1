"""A drum kit on its way to the browser: every drum once, and how loud it is at each velocity.

The sounds are `sound.render`'s own, struck as hard as can be. In most SoundFonts a softer stroke
is the same wave turned down, so one wave and a table of 127 gains say it all; where a SoundFont
has another recording for soft strokes, that is heard in the wave, and it is sent too.

Waves travel as FLAC, which browsers decode themselves, in base64, which JSON can hold. A drum that
stands somewhere between left and right is one channel and two gains.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dj_core.files.storage import sha256_of
from dj_core.music.drums import DRUMS, GENERAL_MIDI_PERCUSSION
from dj_core.sound.kit_table import ALTERNATE_KEYS_UP, kit_named
from dj_core.sound.render import (
    CEILING,
    CHOKE_SECONDS,
    SAMPLE_RATE_HZ,
    Shot,
    kit_shots,
    soundfont_of,
)

KIT_BYTES = (
    700_000  # what a kit may weigh as JSON; drums that rarely play come when they are needed
)
_KITS_KEPT = 32  # for all visitors together
_HARDEST = 127
_TABLES_BYTES = 20_000  # what the velocity tables weigh at most
# Where a sound ends, in dB below full scale: the lowest one with which the drums of the grid fit.
_ENDS_DB = (-72, -66, -60, -54, -48)
_ROOM_FOR_LANES = 0.9  # of KIT_BYTES
_SHORT_DRUMS = 14  # drums beside the lanes' own that are tried for the room that is left
# How coarse a wave may be, against its peak: what is rounded off is noise 78 dB below it, and FLAC
# does not send bits that are never used.
_STEP_DB = -78
_FLAC_EFFORT = 0.6  # 0 to 1; more takes twice as long and saves 1%
_FADE_SECONDS = 0.01  # of what is cut off
# A wave is another recording if what a change of volume cannot explain is more than this of it.
_OTHER_WAVE = 0.02
_ATTACK_SECONDS = 0.023  # enough of a stroke to know its wave by
_SAME_GAINS = 0.001


def kit_payload(kit: str = "standard", soundfont: Path | None = None) -> dict[str, Any]:
    """A kit as JSON-able values, for the engine's `loadKit`; do not change what you are given.

    Args:
        kit: a name from `dj_core.sound.kit_table.KITS`.
        soundfont: an .sf2 file; None for the best one at hand.

    Returns:
        `name` (with the SoundFont's, and its own for each state of that file), `label`,
        `sample_rate`, `lane_notes` (the note of every lane, to fall back to), `choke_lanes` (which
        silence each other, within `choke_seconds`), `ceiling` (loudest sample of a beat),
        `alternate_keys_up` (how far above a note its alternate is, if it has one), `gains`
        (tables of 127), `shots` and `more` (notes that `note_payload` has). A shot has `note`,
        `velocity` (the hardest it is for), `gains` (its table), `left` and `right` (its level
        there) and `flac`.

    Raises:
        SoundError: FluidSynth is missing, or the kit or the SoundFont will not do.
    """
    return _kit_payload(kit, *_state_of(kit, soundfont))


def note_payload(note: int, kit: str = "standard", soundfont: Path | None = None) -> dict[str, Any]:
    """One of the notes that `kit_payload` lists as `more`, in the same form: `loadKit` adds it.

    Raises SoundError as `kit_payload` does, or for a note that is not 35 to 81.
    """
    return _note_payload(note, kit, *_state_of(kit, soundfont))


def kit_part(kit: str, notes: Collection[int]) -> dict[str, Any]:
    """Of what `kit_payload` has, the drums that strike some notes, with their alternates.

    Raises SoundError as `kit_payload` does.
    """
    whole = kit_payload(kit)
    wanted = {*notes, *(note + ALTERNATE_KEYS_UP for note in notes)}
    shots = [shot for shot in whole["shots"] if shot["note"] in wanted]
    left_out = {shot["note"] for shot in whole["shots"]} - wanted
    return {**whole, "shots": shots, "more": sorted({*whole["more"], *left_out})}


def _state_of(kit: str, soundfont: Path | None) -> tuple[Path, int]:
    """The SoundFont meant, and when it was last written: what kits are kept by."""
    path = soundfont_of(kit, soundfont)
    try:
        return path, path.stat().st_mtime_ns
    except OSError:
        return path, 0  # striking it will say what is wrong


# Streamlit's cache has one visitor make a kit (a second of work) and those who ask meanwhile wait
# for it; with one that does not, thirty visitors at a server's start would make it thirty times.
@st.cache_resource(max_entries=_KITS_KEPT, show_spinner=False)
def _kit_payload(kit: str, soundfont: Path, modified_ns: int) -> dict[str, Any]:
    lanes = [drum.note for drum in DRUMS]
    alternated = kit_named(kit).alternated
    lanes += [note + ALTERNATE_KEYS_UP for note in lanes if note in alternated]
    others = [note for note in GENERAL_MIDI_PERCUSSION if note not in lanes]
    struck = {shot.note: shot for shot in _struck(kit, soundfont, [*lanes, *others])}
    short = sorted(set(struck) - set(lanes), key=lambda note: (len(struck[note].samples), note))
    tried = [*(note for note in lanes if note in struck), *short[:_SHORT_DRUMS]]
    tables, layers = _velocities(kit, soundfont, tried)
    shots = [struck[note] for note in tried] + _softer(kit, soundfont, layers)
    sent, end_db = _fitting([shot for shot in shots if shot.note in lanes])
    # of a kit of long sounds the heaviest drums wait until a beat strikes them
    while _weight(sent) > KIT_BYTES * _ROOM_FOR_LANES and len({one["note"] for one in sent}) > 1:
        notes = {one["note"]: 0 for one in sent}
        for one in sent:
            notes[one["note"]] += len(one["flac"])
        heaviest = max(notes, key=notes.__getitem__)
        sent = [one for one in sent if one["note"] != heaviest]
    room = KIT_BYTES - _TABLES_BYTES - _weight(sent)
    for note in tried[-_SHORT_DRUMS:]:
        drum = [_packed(shot, end_db) for shot in shots if shot.note == note]
        if note not in lanes and _weight(drum) <= room:
            sent += drum
            room -= _weight(drum)
    left_out = sorted(set(struck) - {shot["note"] for shot in sent})
    return _payload(kit, soundfont, modified_ns, tables, sent, left_out)


@st.cache_resource(max_entries=_KITS_KEPT * 8, show_spinner=False)
def _note_payload(note: int, kit: str, soundfont: Path, modified_ns: int) -> dict[str, Any]:
    struck = _struck(kit, soundfont, [note])
    tables, layers = _velocities(kit, soundfont, [note])
    layered = _softer(kit, soundfont, layers)
    shots = [_packed(shot, _ENDS_DB[1]) for shot in [*struck, *layered]]
    return _payload(kit, soundfont, modified_ns, tables, shots, [])


def _payload(
    kit: str,
    soundfont: Path,
    modified_ns: int,
    tables: dict[int, NDArray[np.float64]],
    shots: list[dict[str, Any]],
    more: list[int],
) -> dict[str, Any]:
    gains, numbers = _distinct(tables)
    choked = kit_named(kit).choked
    state = sha256_of(f"{soundfont} {modified_ns}".encode())[:8]
    return {
        "name": f"{kit}@{soundfont.stem}-{state}",
        "label": kit_named(kit).label,
        "sample_rate": SAMPLE_RATE_HZ,
        "lane_notes": [drum.note for drum in DRUMS],
        "choke_lanes": [lane for lane, drum in enumerate(DRUMS) if drum.name in choked],
        "choke_seconds": CHOKE_SECONDS,
        "ceiling": CEILING,
        "alternate_keys_up": ALTERNATE_KEYS_UP,
        "gains": gains,
        "shots": [{**shot, "gains": numbers[shot["note"]]} for shot in shots],
        "more": more,
    }


def _fitting(shots: list[Shot]) -> tuple[list[dict[str, Any]], float]:
    """The shots, cut no shorter than a kit's weight demands, and where they were cut."""
    for end_db in _ENDS_DB:
        packed = [_packed(shot, end_db) for shot in shots]
        if _weight(packed) < KIT_BYTES * _ROOM_FOR_LANES:
            break
    return packed, end_db


def _weight(shots: list[dict[str, Any]]) -> int:
    return sum(len(shot["flac"]) for shot in shots)


# -- waves ---------------------------------------------------------------------------------------


def _struck(kit: str, soundfont: Path, notes: Iterable[int]) -> tuple[Shot, ...]:
    return kit_shots(kit, soundfont, (_HARDEST,), notes)


def _softer(kit: str, soundfont: Path, layers: dict[int, list[int]]) -> list[Shot]:
    """The recordings for softer strokes, where there are any."""
    velocities = sorted({velocity for tops in layers.values() for velocity in tops})
    if not velocities:
        return []
    shots = kit_shots(kit, soundfont, velocities, [note for note, tops in layers.items() if tops])
    return [shot for shot in shots if shot.velocity in layers[shot.note]]


def _packed(shot: Shot, end_db: float) -> dict[str, Any]:
    """A shot as the browser gets it, cut where it falls below `end_db`."""
    samples = _ended(shot, end_db)
    channels, left, right = _one_channel(samples)
    # one that is louder than a file can say is written softer and played louder
    loud = max(1.0, float(np.abs(channels).max(initial=0.0)))
    return {
        "note": shot.note,
        "velocity": shot.velocity,
        "left": round(left * loud, 7),
        "right": round(right * loud, 7),
        "flac": base64.b64encode(_flac(channels / loud, shot.sample_rate)).decode("ascii"),
    }


def _ended(shot: Shot, end_db: float) -> NDArray[np.float64]:
    """The stroke until it is softer than `end_db`, faded out there."""
    loudness = np.abs(shot.samples).max(axis=1)
    heard = np.flatnonzero(loudness > min(10 ** (end_db / 20), loudness.max() / 2))
    fade = round(_FADE_SECONDS * shot.sample_rate)
    samples = shot.samples[: int(heard[-1]) + 1 + fade].astype(np.float64)
    faded = min(fade, len(samples))
    samples[-faded:] *= np.linspace(1, 0, faded)[:, np.newaxis]
    return samples


def _one_channel(samples: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float]:
    """The louder side and the level of each, if one side is the other turned down; else both."""
    energy = np.square(samples).sum(axis=0)
    loud = int(energy[1] > energy[0])
    main, other = samples[:, loud], samples[:, 1 - loud]
    level = float(np.dot(main, other) / energy[loud])
    unexplained = np.square(other - level * main).sum() / energy[loud]
    if unexplained > (_OTHER_WAVE / 10) ** 2:
        return samples, 1.0, 1.0
    return main[:, np.newaxis], *((level, 1.0) if loud else (1.0, level))


def _flac(samples: NDArray[np.float64], sample_rate: int) -> bytes:
    import soundfile

    noise = np.abs(samples).max(initial=0.0) * 32_768 * 10 ** (_STEP_DB / 20)
    step = 2 ** max(0, math.floor(math.log2(max(noise * math.sqrt(12), 1))))
    largest = 32_768 - step
    whole = np.clip(np.rint(samples * (32_768 / step)) * step, -32_768, largest).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(
        file, whole, sample_rate, format="FLAC", subtype="PCM_16", compression_level=_FLAC_EFFORT
    )
    return file.getvalue()


# -- velocities ----------------------------------------------------------------------------------


def _velocities(
    kit: str, soundfont: Path, notes: Iterable[int]
) -> tuple[dict[int, NDArray[np.float64]], dict[int, list[int]]]:
    """How each note answers to velocity, measured.

    Returns:
        Two tables by note: the gain at velocities 1 to 127, against the wave that plays there; and
        the velocities below 127 from which down another wave plays.
    """
    shots = kit_shots(
        kit, soundfont, range(_HARDEST, 0, -1), notes, longest_seconds=_ATTACK_SECONDS
    )
    tables: dict[int, NDArray[np.float64]] = {}
    layers: dict[int, list[int]] = {}
    wave: NDArray[np.float64] = np.zeros(0)
    for shot in shots:  # of each note the hardest first
        stroke = shot.samples.astype(np.float64).ravel()
        if shot.note not in tables:
            tables[shot.note], layers[shot.note], wave = np.zeros(_HARDEST), [], stroke
        frames = min(len(stroke), len(wave))
        gain = np.dot(stroke[:frames], wave[:frames]) / np.square(wave[:frames]).sum()
        strange = np.square(stroke[:frames] - gain * wave[:frames]).sum()
        if strange > _OTHER_WAVE**2 * np.square(stroke).sum():
            layers[shot.note].append(shot.velocity)
            wave, gain = stroke, 1.0
        tables[shot.note][shot.velocity - 1] = gain
    return tables, layers


def _distinct(
    tables: dict[int, NDArray[np.float64]],
) -> tuple[list[list[float]], dict[int, int]]:
    """The different tables, and which of them each note uses; most drums share a few."""
    kept: list[NDArray[np.float64]] = []
    numbers: dict[int, int] = {}
    for note, table in tables.items():
        for number, known in enumerate(kept):  # noqa: B007 - used after the break
            if np.allclose(table, known, rtol=_SAME_GAINS, atol=0):
                break
        else:
            number = len(kept)
            kept.append(table)
        numbers[note] = number
    return [[float(f"{gain:.5g}") for gain in table] for table in kept], numbers
