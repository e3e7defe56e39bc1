"""The one table of the mixer: its controls, their ranges and formulas, and presets by style.

The deck is sent this table (`table_payload`) and plays by it in Web Audio; `mixing.py` plays by it
in numpy. docs/mixer.md writes every formula out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from dj_core.errors import SoundError
from dj_core.music.drums import DRUMS
from dj_core.music.genres import GENRE

BUS = "bus"
"""The channel that all drums go through."""


@dataclass(frozen=True)
class Control:
    """One knob or fader.

    Attributes:
        name: identifier used in code, files and links.
        label: what a DJ reads.
        low, high, step: its range and grain; what it is set to is rounded to the grain.
        default: where it changes nothing.
        unit: how it is said: 'dB', 'pan', 'semitones', 'share', 'filter' or 'quarters'.
        hint: what it does, in a sentence.
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    default: float
    unit: str
    hint: str


STRIP_CONTROLS = (
    Control("level", "Level", -48, 6, 0.5, 0, "dB", "How loud the drum is; at the bottom, off."),
    Control("pan", "Pan", -1, 1, 0.02, 0, "pan", "Left or right."),
    Control("tune", "Tune", -12, 12, 0.5, 0, "semitones", "Lower or higher."),
    Control("decay", "Decay", 0.05, 1, 0.01, 1, "share", "Shorter than the kit has it."),
    Control("filter", "Filter", -1, 1, 0.02, 0, "filter", "Left takes the top, right the bottom."),
    Control("drive", "Drive", 0, 1, 0.01, 0, "share", "Bends the peaks: warm, then dirty."),
    Control("room", "Room", 0, 1, 0.01, 0, "share", "How much goes to the room."),
    Control("plate", "Plate", 0, 1, 0.01, 0, "share", "How much goes to the plate reverb."),
    Control("delay", "Delay", 0, 1, 0.01, 0, "share", "How much goes to the delay."),
)
BUS_CONTROLS = (
    Control("drive", "Drive", 0, 1, 0.01, 0, "share", "Bends the peaks of all drums together."),
    Control("low", "Low", -24, 6, 0.5, 0, "dB", "The bass; at the bottom, killed."),
    Control("mid", "Mid", -24, 6, 0.5, 0, "dB", "The middle; at the bottom, killed."),
    Control("high", "High", -24, 6, 0.5, 0, "dB", "The treble; at the bottom, killed."),
    Control("filter", "Filter", -1, 1, 0.02, 0, "filter", "Left takes the top, right the bottom."),
    Control("duck", "Duck", 0, 1, 0.01, 0, "share", "Each kick turns the other drums down."),
    Control("duck_time", "Duck time", 0.125, 2, 0.125, 0.5, "quarters", "Until they are back."),
    Control("room", "Room", 0, 1, 0.01, 0.5, "share", "How loud the room comes back."),
    Control("plate", "Plate", 0, 1, 0.01, 0.5, "share", "How loud the plate comes back."),
    Control("delay", "Delay", 0, 1, 0.01, 0.5, "share", "How loud the echoes come back."),
    Control("delay_time", "Time", 0.25, 1.5, 0.25, 0.75, "quarters", "Between two echoes."),
    Control("feedback", "Echoes", 0, 0.75, 0.01, 0.35, "share", "How much of an echo is repeated."),
)
CHANNELS: Mapping[str, Mapping[str, Control]] = {
    **{drum.name: {control.name: control for control in STRIP_CONTROLS} for drum in DRUMS},
    BUS: {control.name: control for control in BUS_CONTROLS},
}
"""Every channel, by name, with its controls by name."""


@dataclass(frozen=True)
class Reverb:
    """An impulse response made of noise.

    Attributes:
        seed: of its noise; left and right have two that follow.
        seconds: how long it is.
        fall_seconds: in which it falls by 60 dB.
        rise_seconds: in which it rises from nothing.
        low_hertz, high_hertz: the edges of its band, of one pole each.
        taps: early reflections: (seconds, gain left, gain right).
        energy: of each side, of which 1 would leave noise as loud as it was.
    """

    seed: int
    seconds: float
    fall_seconds: float
    rise_seconds: float
    low_hertz: float
    high_hertz: float
    taps: tuple[tuple[float, float, float], ...]
    energy: float


@dataclass(frozen=True)
class Formulas:
    """The constants of the mixer's formulas; docs/mixer.md has the formulas.

    Attributes:
        drive_steepness: of the curve at full drive.
        drive_anchor: the sample that drive leaves as it is.
        drive_range, drive_points: the curve's table reaches to plus and minus this, by so many.
        filter_low_hertz: a closing low-pass goes from the first to the second.
        filter_high_hertz: a closing high-pass goes from the first to the second.
        strip_q_db, bus_q_db: resonance of the filters, in decibels as Web Audio counts it.
        butterworth_db: the resonance of a filter without a bump: 20 log10(1 / sqrt 2).
        split_hertz: where the three bands meet.
        duck_attack_seconds: in which the other drums are turned down.
        decay_seconds: time constants of a stroke at decay 0 and, in the limit, at 1.
        echo_hertz: low-pass in the delay's loop.
        echo_floor: echoes below this are not heard.
        tune_taps, tune_phases: of the resampling kernel: zeros on either side, steps between two.
        room, plate: the impulse responses.
    """

    drive_steepness: float = 8.0
    drive_anchor: float = 0.7
    drive_range: float = 4.0
    drive_points: int = 16_385
    filter_low_hertz: tuple[float, float] = (20_000.0, 90.0)
    filter_high_hertz: tuple[float, float] = (20.0, 7_000.0)
    strip_q_db: float = 0.0
    bus_q_db: float = 3.0
    butterworth_db: float = 20 * math.log10(math.sqrt(0.5))
    split_hertz: tuple[float, float] = (250.0, 2_500.0)
    duck_attack_seconds: float = 0.004
    decay_seconds: tuple[float, float] = (0.012, 1.2)
    echo_hertz: float = 4_500.0
    echo_floor: float = 1e-4
    tune_taps: int = 8
    tune_phases: int = 4_096
    room: Reverb = Reverb(
        11, 0.45, 0.4, 0.002, 180.0, 6_000.0,
        ((0.0071, 0.5, 0.2), (0.0113, 0.2, 0.45), (0.0179, 0.35, 0.15), (0.0233, 0.1, 0.3)), 0.5,
    )  # fmt: skip
    plate: Reverb = Reverb(23, 1.6, 1.5, 0.012, 300.0, 9_000.0, (), 0.5)


FORMULAS = Formulas()


@dataclass(frozen=True)
class Mixer:
    """How a beat is mixed: what differs from a mixer that changes nothing.

    Attributes:
        changes: (channel, control, value), sorted; no value is its control's default.

    Raises:
        SoundError: no such channel or control, or a value out of its range.
    """

    changes: tuple[tuple[str, str, float], ...] = ()

    def __post_init__(self) -> None:
        kept: dict[tuple[str, str], float] = {}
        for channel, name, value in self.changes:
            control = CHANNELS.get(channel, {}).get(name)
            if control is None:
                raise SoundError(
                    f"The mixer has no control {name[:40]!r} on {channel[:40]!r}. Its channels: "
                    f"{', '.join(CHANNELS)}."
                )
            if not control.low <= value <= control.high:  # nor NaN
                raise SoundError(
                    f"{control.label} is {control.low:g} to {control.high:g}; got {value!r}."
                )
            kept[channel, name] = round(round(value / control.step) * control.step, 6)
        changed = sorted(
            (channel, name, value)
            for (channel, name), value in kept.items()
            if value != CHANNELS[channel][name].default
        )
        object.__setattr__(self, "changes", tuple(changed))

    @property
    def is_neutral(self) -> bool:
        """Whether every beat sounds as it does without a mixer."""
        return not self.changes

    def values(self, channel: str) -> dict[str, float]:
        """Where each control of a channel stands."""
        defaults = {name: control.default for name, control in CHANNELS[channel].items()}
        return defaults | {name: value for of, name, value in self.changes if of == channel}

    def to_json(self) -> dict[str, dict[str, float]]:
        """What differs, by channel and control."""
        told: dict[str, dict[str, float]] = {}
        for channel, name, value in self.changes:
            told.setdefault(channel, {})[name] = value
        return told

    def to_text(self) -> str:
        """What differs, for a link: 'bus.drive=0.2,kick.tune=-2'; '' for a neutral mixer."""
        return ",".join(f"{channel}.{name}={value:g}" for channel, name, value in self.changes)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The mixer that `to_text` wrote. Raises SoundError."""
        told: dict[str, dict[str, float]] = {}
        for part in filter(None, text.split(",")):
            place, _, value = part.partition("=")
            channel, _, name = place.partition(".")
            try:
                told.setdefault(channel, {})[name] = float(value)
            except ValueError:
                raise SoundError(
                    f"A mixer is written as in bus.drive=0.2,kick.tune=-2; got {part[:40]!r}."
                ) from None
        return cls.from_json(told)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The mixer that `to_json` wrote; None is a neutral one. Raises SoundError."""
        if value is None:
            return cls()
        if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
            raise SoundError(
                f"A mixer is written as channels with their controls; got {str(value)[:40]!r}."
            )
        rows = [(of, name, one) for of, named in value.items() for name, one in named.items()]
        for of, name, one in rows:
            known = isinstance(of, str) and isinstance(name, str)
            if not known or type(one) not in (int, float) or not abs(one) < 1e6:
                raise SoundError(f"A control of the mixer is a number; got {str(one)[:40]!r}.")
        return cls(tuple((of, name, float(one)) for of, name, one in rows))


NEUTRAL = Mixer()


@dataclass(frozen=True)
class Preset:
    """A mixer to begin with.

    Attributes:
        name, label: the styles of this kit begin with it, see `preset_of`; what a DJ reads.
        mixer: the settings.
    """

    name: str
    label: str
    mixer: Mixer


def _preset(name: str, label: str, **channels: dict[str, float]) -> Preset:
    return Preset(name, label, Mixer.from_json(channels))


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        _preset(
            "house", "House", clap={"room": 0.3, "plate": 0.12}, open_hat={"room": 0.12},
            shaker={"pan": 0.24}, bus={"duck": 0.16, "drive": 0.08},
        ),
        _preset(
            "deep-house", "Deep house", snare={"plate": 0.22}, clap={"plate": 0.28},
            side_stick={"plate": 0.22, "delay": 0.16}, open_hat={"filter": -0.12},
            conga={"room": 0.25, "pan": -0.24}, shaker={"pan": 0.24}, bus={"duck": 0.2},
        ),
        _preset(
            "tech-house", "Tech house", clap={"room": 0.2}, side_stick={"delay": 0.14},
            conga={"pan": -0.24, "room": 0.12}, closed_hat={"pan": 0.12},
            bus={"duck": 0.14, "drive": 0.1},
        ),
        _preset(
            "techno", "Techno", kick={"drive": 0.12, "room": 0.06}, clap={"plate": 0.3},
            side_stick={"delay": 0.22}, ride={"room": 0.1}, bus={"duck": 0.3, "drive": 0.12},
        ),
        _preset(
            "hard-techno", "Hard techno", kick={"drive": 0.3}, clap={"plate": 0.2},
            low_tom={"room": 0.3, "drive": 0.2}, bus={"duck": 0.35, "drive": 0.22},
        ),
        _preset(
            "trance", "Trance", clap={"plate": 0.34}, snare={"plate": 0.25}, crash={"plate": 0.2},
            open_hat={"room": 0.1}, bus={"duck": 0.35, "duck_time": 0.5},
        ),
        _preset(
            "drum-and-bass", "Drum and bass", snare={"room": 0.2, "drive": 0.1},
            ride={"room": 0.1}, closed_hat={"filter": 0.1}, bus={"drive": 0.14},
        ),
        _preset(
            "jungle", "Jungle", snare={"room": 0.22, "drive": 0.14}, ride={"room": 0.14},
            bus={"drive": 0.18, "high": -0.5},
        ),
        _preset(
            "garage", "Garage", snare={"room": 0.22}, side_stick={"delay": 0.12, "room": 0.14},
            closed_hat={"pan": 0.12}, shaker={"pan": -0.2}, bus={"duck": 0.1, "drive": 0.08},
        ),
        _preset(
            "dubstep", "Dubstep", snare={"plate": 0.2, "room": 0.2}, side_stick={"delay": 0.25},
            closed_hat={"delay": 0.08}, bus={"drive": 0.12, "feedback": 0.45},
        ),
        _preset(
            "trap", "Trap", kick={"drive": 0.1}, snare={"plate": 0.14}, clap={"plate": 0.16},
            closed_hat={"pan": 0.1}, open_hat={"pan": -0.1}, bus={"drive": 0.06},
        ),
        _preset(
            "boom-bap", "Boom bap", kick={"drive": 0.14}, snare={"drive": 0.16, "room": 0.12},
            closed_hat={"filter": -0.12}, bus={"drive": 0.16, "high": -1},
        ),
        _preset(
            "lo-fi", "Lo-fi", snare={"room": 0.2}, closed_hat={"filter": -0.2, "pan": 0.12},
            bus={"drive": 0.2, "high": -3, "filter": -0.1},
        ),
        _preset(
            "reggaeton", "Reggaeton", snare={"room": 0.14}, side_stick={"room": 0.16},
            bus={"duck": 0.1, "drive": 0.1},
        ),
        _preset(
            "afro", "Afro", conga={"room": 0.25, "pan": -0.24}, shaker={"pan": 0.24},
            side_stick={"plate": 0.14, "delay": 0.1}, bus={"duck": 0.12},
        ),
        _preset(
            "disco", "Disco", snare={"plate": 0.16}, clap={"plate": 0.2},
            tambourine={"pan": 0.24, "room": 0.14}, bus={"drive": 0.06, "low": 0.5},
        ),
        _preset(
            "electro", "Electro", snare={"room": 0.18}, clap={"plate": 0.18},
            cowbell={"delay": 0.14, "pan": 0.2}, bus={"drive": 0.1},
        ),
    )
}  # fmt: skip
"""Presets by name, each for the styles whose usual kit has that name."""
_PRESET_OF_KIT = {"nine": "techno", "eight": "electro", "twelve-bit": "boom-bap"}


def preset_of(genre: str) -> Preset | None:
    """The preset a style begins with; None for a style that is best left alone."""
    kit = GENRE[genre].kit if genre in GENRE else ""
    return PRESETS.get(_PRESET_OF_KIT.get(kit, kit))


def table_payload() -> dict[str, Any]:
    """The table as JSON-able values, for the deck."""
    return {
        "drums": [drum.name for drum in DRUMS],
        "bus": BUS,
        "strip_controls": [asdict(control) for control in STRIP_CONTROLS],
        "bus_controls": [asdict(control) for control in BUS_CONTROLS],
        "formulas": asdict(FORMULAS),
        "presets": [
            {"name": preset.name, "label": preset.label, "mixer": preset.mixer.to_json()}
            for preset in PRESETS.values()
        ],
    }
