"""The deck: a beat to hear, see and touch, without a gap.

The browser is the instrument. `mount_booth` brings the program (`main.js` of this folder and what
it imports) into every page; it is sent once to a tab, and so is each kit. `deck` puts a beat on it,
which costs a few kilobytes, and gives back the beat as the visitor has edited it. The engine in the
browser plays on through reruns and page switches.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.errors import BeatError, SoundError
from dj_core.music.as_played import as_played, play_seed
from dj_core.music.beat import MAX_TEMPO_BPM, MIN_TEMPO_BPM, Beat
from dj_core.music.drums import DRUMS, LANE, general_midi_note
from dj_core.music.genres import GENRE
from dj_core.music.timing import swung
from dj_core.sound.beat_sound import USUAL_SOUND, BeatSound
from dj_core.sound.kit_table import KITS, kit_or, offered_kits
from dj_core.sound.mixer_table import NEUTRAL, Mixer, preset_of, table_payload
from dj_ui.deck.kits import kit_payload, note_payload
from dj_ui.deck.payload import beat_id, beat_of_payload, beat_payload
from dj_ui.grid import steps_of
from dj_ui.javascript import joined
from dj_ui.words import spoken

_HERE = Path(__file__).parent
_EDITS, _KIT, _SENT, _LOCKS = "dj_edits", "dj_kit", "dj_drums_sent", "dj_locks"
_SOUNDS = "dj_sounds"  # what beats are heard with, by slot
_USUAL_KIT, _MIXER = "dj_usual_kit", "dj_mixer"
_HEARD, _NEW_TEMPO = "dj_heard", "dj_new_tempo"
EDITS_KEPT = 16  # edited beats a session remembers
_SOUNDS_KEPT = 64
_ORIGINALS_KEPT = 8  # beats of one deck that the browser may still send an edit of
DEFAULT_KIT = next(iter(KITS))


@dataclass(frozen=True)
class Edit:
    """What a visitor did to one beat.

    Attributes:
        original: `beat_id` of the beat it was done to.
        payload: as the browser sent it.
        beat: the outcome.
    """

    original: str
    payload: dict[str, Any]
    beat: Beat


def mount_booth() -> None:
    """Bring the deck's program into this page; once on every page, before any deck.

    Where the beat that sounds has no deck on the page, its name and a stop button appear here.
    """
    _component("dj_booth", program())(key="dj_booth", width="content", height="content")


def deck(
    beat: Beat,
    *,
    key: str,
    slot: str = "",
    name: str = "",
    facts: Sequence[Sequence[str]] = (),
    play: str | None = None,
    other: Beat | None = None,
    other_name: str = "",
    soundfont: Path | None = None,
    locks: bool = False,
    kit_later: bool = False,
    follow: bool = False,
    along: Callable[[Beat], Mapping[str, object]] | None = None,
) -> Beat:
    """Show a beat on a deck and return it as the visitor has edited it.

    Args:
        beat: what to put on.
        key: unique on the page; one deck, whatever is on it.
        slot: what the visitor's edits belong to, such as 'take-3'; '' for the music itself.
        name: what the display calls it; '' for the beat's title.
        facts: further (label, value) pairs for the display.
        play: a token; one that the tab has not seen starts the beat, or drops it in on the next
            bar while another one plays. None leaves it to the visitor.
        other: what to put on deck B, called `other_name`.
        soundfont: the DJ's own .sf2 file, or None for the best one at hand.
        locks: whether drums can be locked, so that what is made anew keeps them: `locked_drums`.
        follow: the beat that comes back has the tempo and swing that it is heard with.
        along: what can be taken out of the page of the beat that comes back: {'files': as
            `drag_files.hand_out` gives them, 'link': an address, or '' for none}.
        kit_later: the caller calls `send_kit` itself, once what follows the deck is drawn.

    Returns:
        `beat` itself, the same object, unless the visitor changed something.
    """
    slot = slot or beat_id(beat)
    st.session_state[f"{key}_slot"] = slot
    originals: dict[str, Beat] = st.session_state.setdefault(f"{key}_originals", {})
    originals.pop(slot, None)  # it is the latest now
    originals[slot] = beat
    while len(originals) > _ORIGINALS_KEPT:
        del originals[next(iter(originals))]
    edit = _edit_of(beat, slot)
    now = edit.beat if edit else beat
    now = _as_heard(now, slot) if follow else now
    with st.container(key=f"{key}_room"):  # theme.css keeps it free until the program is there
        _component("dj_deck", _mounting("mountDeck"))(
            key=key,
            data={
                "owner": key,
                "slot": slot,
                "name": name or beat.title or "Beat",
                "beat": beat_payload(beat),
                "edit": edit.payload if edit else None,
                "facts": [list(fact) for fact in facts],
                "kits": [[kit.name, kit.label, kit.source] for kit in offered_kits()],
                "kit": chosen_kit(slot),
                "usual": _usual_kit(),
                "follows": not kit_or(sound_of(slot).kit, ""),
                "other": other and {"name": other_name or other.title, "beat": beat_payload(other)},
                "play": play,
                "locks": list(locked_drums()) if locks else None,
                "heard": list(_heard(slot)) if follow else None,
                "mixer": sound_of(slot).mixer.to_json(),
                "preset": preset.name if (preset := preset_of(beat.genre)) else None,
                "along": along and {**along(now), "of": beat_id(beat)},
            },
            on_edited_change=functools.partial(_take_edit, key),
            on_kit_change=functools.partial(_take_kit, key),
            on_locks_change=functools.partial(_take_locks, key),
            on_heard_change=functools.partial(_take_heard, key),
            on_mixer_change=functools.partial(_take_mixer, key),
        )
    if not kit_later:
        send_kit(key, (beat, other) if other else (beat,), soundfont, slot)
    return now


def deliver_ahead(address: str, key: str, kit: str, soundfont: Path | None = None) -> None:
    """Have the browser fetch the next beat of the deck `key`, to sound at once when asked for.

    Args:
        address: of an `Ahead` whose payload is `ahead_payload`'s; '' for none.
        kit: what it will be heard with; it goes to the browser too. Call this last.
    """
    data: dict[str, Any] = {"owner": key, "address": "", "kit": ""}
    with contextlib.suppress(SoundError):  # the deck says so when the beat is there
        drums = kit_payload(kit, soundfont)
        if kit != chosen_kit(st.session_state.get(f"{key}_slot", "")):
            _send_drums(f"{key}_ahead_kit", drums, 0, later=True)
        data |= {"address": address, "kit": drums["name"]}
    _component("dj_ahead", _mounting("mountAhead"))(key=f"{key}_ahead", data=data, height="content")


def ahead_payload(beat: Beat, slot: str, name: str, play: str) -> dict[str, Any]:
    """What the deck will be told of a beat when it is asked for; see `deck`."""
    return {
        "slot": slot,
        "name": name,
        "beat": beat_payload(beat),
        "facts": seed_fact(beat),
        "play": play,
    }


def seed_fact(beat: Beat) -> list[list[str]]:
    """The seed of a beat as a fact for the display; none where it has none."""
    seed = beat.provenance.seed
    return [] if seed is None else [["seed", f"{seed}"]]


def listen(beat: Beat, *, key: str, name: str = "") -> None:
    """Show a beat small, with a play button, on a page with a deck or after `send_kit`.

    One thing sounds at a time: what is played here ends what was playing.
    """
    _component("dj_listen", _mounting("mountListener"))(
        key=key,
        data={
            "owner": key,
            "slot": beat_id(beat),
            "name": name or beat.title or "Beat",
            "beat": beat_payload(beat),
        },
    )


def jam(
    data: Mapping[str, Any],
    *,
    key: str,
    on_kept: Callable[[Mapping[str, Any]], None],
    on_recorded: Callable[[Mapping[str, Any]], None],
    on_opened: Callable[[Mapping[str, Any]], None],
) -> None:
    """Show a jam, whose phrases the browser fetches by itself; call `send_kit` after it.

    Args:
        data: `LiveJam.payload`.
        key: unique on the page.
        on_kept, on_recorded: take bars that the visitor keeps, or recorded, as jam.js packs them.
        on_opened: takes 'number' and 'side' of a phrase that goes to Generate.
    """

    def take(name: str, act: Callable[[Mapping[str, Any]], None]) -> None:
        played = getattr(st.session_state[key], name)
        if isinstance(played, dict):
            act(played)

    with st.container(key=f"{key}_room"):
        _component("dj_jam", _mounting("mountJam"))(
            key=key,
            data={"owner": key, **data},
            on_kept_change=functools.partial(take, "kept", on_kept),
            on_recorded_change=functools.partial(take, "recorded", on_recorded),
            on_opened_change=functools.partial(take, "opened", on_opened),
        )


def blind_pair(
    pair: str,
    addresses: Sequence[str],
    players: Sequence[str],
    person: str,
    take: Callable[[Mapping[str, Any]], None],
    *,
    key: str,
) -> None:
    """Two loops of one length to be heard in step, A or B at will, until every player has chosen.

    Args:
        pair: what it is called; another name is another pair.
        addresses: of the WAV files of side A and side B.
        players: who choose, one or two.
        person: what is looked for, as in 'drummer'.
        take: called with 'pair', 'chosen' (a side for each player) and 'heard' (seconds of A and
            of B), before the page runs again.
        key: unique on the page.
    """

    def answered() -> None:
        answer = st.session_state[key].answer
        if isinstance(answer, dict):
            take(answer)

    _component("dj_ab", _mounting("mountAb"))(
        key=key,
        data={
            "owner": key,
            "pair": pair,
            "addresses": [*addresses],
            "players": [*players],
            "person": person,
        },
        on_answer_change=answered,
        height="content",
    )


def pads(
    kit: str,
    shown: Sequence[tuple[str, str, float]],
    chosen: str,
    *,
    key: str,
    can_change: bool,
    on_chosen: Callable[[str], None],
    on_swapped: Callable[[str, str], None],
) -> None:
    """The pads of a kit of one's own: heard by a touch, exchanged by dragging or by keys.

    Args:
        kit: its name.
        shown: of every pad its lane, its recording ('' for none), and how sure its guess was.
        chosen: the lane that is marked.
        key: unique on the page.
        can_change: pads can be dragged.
        on_chosen: called with the lane that was touched.
        on_swapped: called with the lanes of two pads that are to be exchanged.
    """

    def chose() -> None:
        lane = st.session_state[key].chosen
        if lane in LANE:
            on_chosen(lane)

    def swapped() -> None:
        lanes = st.session_state[key].swapped
        if isinstance(lanes, list) and len(lanes) == 2 and set(lanes) <= LANE.keys():
            on_swapped(*lanes)

    _component("dj_pads", _mounting("mountPads"))(
        key=key,
        data={
            "owner": key,
            "kit": kit,
            "pads": [
                {"lane": LANE[lane], "file": file, "sure": sure} for lane, file, sure in shown
            ],
            "chosen": LANE[chosen],
            "canChange": can_change,
        },
        on_chosen_change=chose,
        on_swapped_change=swapped,
    )


def edited(beat: Beat, slot: str = "") -> Beat:
    """The beat as the visitor edited it on a deck; `beat` itself where nothing was changed."""
    edit = _edit_of(beat, slot or beat_id(beat))
    return edit.beat if edit else beat


def heard_for(beat: Beat, slot: str, bars: int) -> Beat:
    """The first bars of a beat as its deck plays them: edits, conditions, tempo and swing."""
    now, (tempo_bpm, swing) = edited(beat, slot), _heard(slot)
    played = as_played(now, bars, play_seed(now), 0 if steps_of(beat).per_quarter % 4 else swing)
    return played if tempo_bpm is None else played.at_tempo(tempo_bpm)


def edit_of(beat: Beat, slot: str) -> dict[str, Any] | None:
    """What the visitor did to a beat, JSON-able, for `bring_back_edit`; None for nothing."""
    edit = _edit_of(beat, slot)
    return _kept(edit.payload) if edit else None


def _kept(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What an edit is, without where it came from."""
    return {name: payload[name] for name in ("tempo_bpm", "hits", "lengths") if name in payload}


def bring_back_edit(beat: Beat, slot: str, edit: Mapping[str, Any]) -> None:
    """Have a beat as it was edited before a reload; what is no edit of it is left alone."""
    try:
        outcome = beat_of_payload(dict(edit), beat)
    except BeatError:
        return
    edits: dict[str, Edit] = st.session_state.setdefault(_EDITS, {})
    edits[slot] = Edit(beat_id(beat), dict(edit), outcome)


def own_sound(slot: str) -> BeatSound | None:
    """What the visitor chose for the beat of a slot; None where they chose nothing for it."""
    sound: BeatSound | None = st.session_state.get(_SOUNDS, {}).get(slot)
    return sound


def sound_of(slot: str) -> BeatSound:
    """What the beat of a slot is heard with: as chosen for it, else with the kit chosen last.

    '' is the next take: it is mixed as the last beat was, too.
    """
    last = st.session_state.get(_MIXER, NEUTRAL) if not slot else NEUTRAL
    return own_sound(slot) or BeatSound(st.session_state.get(_KIT, ""), last)


def give_sound(slot: str, sound: BeatSound) -> None:
    """Have the beat of a slot heard with something else."""
    sounds: dict[str, BeatSound] = st.session_state.setdefault(_SOUNDS, {})
    sounds.pop(slot, None)  # it is the latest now
    sounds[slot] = sound
    while len(sounds) > _SOUNDS_KEPT:
        del sounds[next(iter(sounds))]


def bring_back_sound(slot: str, sound: BeatSound) -> None:
    """Have a beat heard as it was kept, unless the visitor chose something else for it since."""
    if sound != USUAL_SOUND and own_sound(slot) is None:
        give_sound(slot, sound)


def chosen_kit(slot: str = "") -> str:
    """The kit that the beat of a slot is heard with, by its name in `kit_table.KITS`.

    Where none was chosen, or it is not here, the usual kit of the style that was on a deck last.
    """
    return kit_or(sound_of(slot).kit, _usual_kit())


def _usual_kit() -> str:
    kit: str = st.session_state.get(_USUAL_KIT, DEFAULT_KIT)
    return kit


def follow_style(genre: str) -> None:
    """Let a style be heard with its usual kit, unless the visitor chose one."""
    st.session_state[_USUAL_KIT] = usual_kit(genre)


def usual_kit(genre: str) -> str:
    """The kit of a genre; of no genre that we know, the default."""
    kit = GENRE[genre].kit if genre in GENRE else DEFAULT_KIT
    return kit if kit in KITS else DEFAULT_KIT


def choose_kit(kit: str, slot: str = "") -> None:
    """Let the visitor hear another kit, from now on and for the beat of a slot.

    A name that is none changes nothing; '' goes back to the usual kit of the style.
    """
    if kit_or(kit, "") != kit:
        return
    st.session_state[_KIT] = kit
    if slot:
        give_sound(slot, replace(sound_of(slot), kit=kit))


def choose_mixer(mixer: Mixer) -> None:
    """Have the next take mixed so."""
    st.session_state[_MIXER] = mixer


def locked_drums() -> tuple[str, ...]:
    """The drums that the visitor locked on the deck, in the drum table's order.

    The browser remembers them, for as long as the tab is open, and says so after a reload.
    """
    return st.session_state.get(_LOCKS, ())


# -- a track beside the deck ---------------------------------------------------------------------


def track_view(
    data: Mapping[str, Any], take: Callable[[Mapping[str, Any]], object], *, key: str
) -> None:
    """Show a track that can play along with the deck, its waveform and its beat lines.

    Args:
        data: its name, the address of its file, `duration_seconds`, `waveform`, `beats` in seconds,
            `first` (the first that begins a bar), `beats_per_bar` and `sections`.
        take: called with what the visitor did to its grid, before the page runs again.
        key: unique on the page.
    """

    def edited() -> None:
        edit = st.session_state[key].edit
        if isinstance(edit, dict) and edit.get("address") == data["address"]:
            take(edit)

    _component("dj_track", _mounting("mountTrack"))(
        key=key,
        data={"owner": key, **data},
        on_edit_change=edited,
        height="content",
    )


# -- what comes back -----------------------------------------------------------------------------


def _edit_of(beat: Beat, slot: str) -> Edit | None:
    edit: Edit | None = st.session_state.get(_EDITS, {}).get(slot)
    return edit if edit and edit.original == beat_id(beat) else None


def _take_edit(key: str) -> None:
    """Keep an edit that the browser sent; what is no edit of a beat we gave it is left alone."""
    payload = st.session_state[key].edited
    if not isinstance(payload, dict):
        return
    slot = payload.get("slot")
    original = st.session_state.get(f"{key}_originals", {}).get(slot)
    if original is None or payload.get("original") != beat_id(original):
        return
    try:
        outcome = beat_of_payload(payload, original)
    except BeatError as error:
        st.toast(spoken(error))
        return
    edits: dict[str, Edit] = st.session_state.setdefault(_EDITS, {})
    edits.pop(slot, None)
    if outcome is not original:
        edits[slot] = Edit(payload["original"], _kept(payload), outcome)
    while len(edits) > EDITS_KEPT:
        del edits[next(iter(edits))]


def _take_kit(key: str) -> None:
    choose_kit(str(st.session_state[key].kit), st.session_state.get(f"{key}_slot", ""))


def _take_mixer(key: str) -> None:
    """Keep how the beat of a slot is mixed; what is no mixer is left alone."""
    match st.session_state[key].mixer:
        case {"slot": str(slot), "mixer": told} if slot in st.session_state.get(
            f"{key}_originals", {}
        ):
            try:
                mixer = Mixer.from_json(told)
            except SoundError as error:
                st.toast(spoken(error))
                return
            choose_mixer(mixer)
            give_sound(slot, replace(sound_of(slot), mixer=mixer))


def new_tempo() -> float | None:
    """The tempo that the visitor has set on a deck since this was asked last; None for none."""
    return st.session_state.pop(_NEW_TEMPO, None)


def _heard(slot: str) -> tuple[float | None, float]:
    """Tempo and swing that a beat is heard with: None for its own, 0 for its own."""
    of, tempo_bpm, swing = st.session_state.get(_HEARD, ("", None, 0))
    return (tempo_bpm, swing) if of == slot else (None, 0)


def _as_heard(beat: Beat, slot: str) -> Beat:
    tempo_bpm, swing = _heard(slot)
    if tempo_bpm is not None:
        beat = beat.at_tempo(tempo_bpm)
    return beat if steps_of(beat).per_quarter % 4 or not swing else swung(beat, swing)


def _take_heard(key: str) -> None:
    """Know what a beat is heard with, and draw the page anew: files and the next take follow."""
    match st.session_state[key].heard:
        case {"slot": str(slot), "tempo_bpm": tempo_bpm, "swing": swing} if (
            slot in st.session_state.get(f"{key}_originals", {})
            and (tempo_bpm is None or _is_between(tempo_bpm, MIN_TEMPO_BPM, MAX_TEMPO_BPM))
            and _is_between(swing, 0, 1)
        ):
            st.session_state[_HEARD] = (slot, tempo_bpm, swing)
            st.session_state[_NEW_TEMPO] = tempo_bpm
            st.rerun()


def _is_between(value: object, low: float, high: float) -> bool:
    return type(value) in (int, float) and low <= value <= high


def _take_locks(key: str) -> None:
    """Know which drums are locked, and draw the page anew: other parts of it say so."""
    names = st.session_state[key].locks
    if not isinstance(names, list):
        return
    st.session_state[_LOCKS] = tuple(drum.name for drum in DRUMS if drum.name in names)
    st.rerun()


# -- what is sent --------------------------------------------------------------------------------


def send_kit(
    key: str, beats: Sequence[Beat] = (), soundfont: Path | None = None, slot: str = ""
) -> None:
    """Send a slot's kit and its rarer drums that `beats` strike; `deck` does so itself.

    A tab that has them is only reminded. Call it last: the first kit takes a moment to make.
    """
    name = chosen_kit(slot)
    try:
        kit = kit_payload(name, soundfont)
        _send_drums(f"{key}_kit", kit, 0)
        struck = {
            general_midi_note(hit.drum, hit.source_note) for beat in beats for hit in beat.hits
        }
        for note in sorted(struck & set(kit["more"])):
            drum = note_payload(note, name, soundfont)
            _send_drums(f"{key}_kit_{note}", drum, note)
    except SoundError as error:
        _drums_loader()(key=f"{key}_kit", data={"silence": str(error)}, height="content")


def _send_drums(key: str, drums: dict[str, Any], note: int, *, later: bool = False) -> None:
    """Send a kit, or one drum of it, to a tab once; then only its name. `later`: not used yet."""
    sent: set[tuple[str, int]] = st.session_state.setdefault(_SENT, set())
    known = (drums["name"], note) in sent
    sent.add((drums["name"], note))
    reminder = {"name": drums["name"], "note": note}
    _drums_loader()(
        key=key,
        data={**(reminder if known else drums), "later": later},
        height="content",
        on_missing_change=sent.clear,  # what was sent never arrived: send it again
    )


def _drums_loader() -> Any:  # noqa: ANN401 - Streamlit's mounting command
    return _component("dj_kit", _mounting("takeKit"))


@functools.cache
def program() -> str:
    """The deck's JavaScript as one module, and before it what `given.js` finds on the page."""
    drums = [
        {
            "name": drum.name,
            "label": drum.label,
            "short": drum.short,
            "family": drum.family,
            "note": drum.note,
            "velocity": drum.default_velocity,
        }
        for drum in DRUMS
    ]
    given = {
        "drums": drums,
        "mixer": table_payload(),
        "styles": (_HERE / "deck.css").read_text("utf-8"),
    }
    return f"window.digitalDjGiven = {json.dumps(given)}\n{joined(_HERE / 'main.js')}"


def _mounting(function: str) -> str:
    """A component's script that calls a function of the program, once it is there."""
    return (
        f"{joined(_HERE / 'gate.js')}\n"
        f"export default async (component) => (await gate.opened).{function}(component)"
    )


@functools.cache
def _component(name: str, script: str) -> Any:  # noqa: ANN401 - Streamlit's mounting command
    return st.components.v2.component(name, js=script)
