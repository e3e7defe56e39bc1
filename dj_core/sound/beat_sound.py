"""The sound of a beat: what it is heard with, beside its music. Takes, the crate and sets keep it.

What is added here later, with a default and a line in each of the two functions, is kept there too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dj_core.errors import SoundError
from dj_core.files.beat_json import shown
from dj_core.sound.mixer_table import NEUTRAL, Mixer

MOST_KIT_NAME = 80  # characters


@dataclass(frozen=True)
class BeatSound:
    """What a DJ chose for a beat to be heard with.

    Attributes:
        kit: a kit's name, whether or not it is here; '' for the usual kit of the beat's style.
        mixer: how its drums are mixed.

    Raises:
        SoundError: a name that no kit can have.
    """

    kit: str = ""
    mixer: Mixer = NEUTRAL

    def __post_init__(self) -> None:
        if not isinstance(self.kit, str) or len(self.kit) > MOST_KIT_NAME:
            raise SoundError(
                f"A kit's name is a text of up to {MOST_KIT_NAME} characters; got "
                f"{shown(self.kit)}."
            )


USUAL_SOUND = BeatSound()
"""What a beat is heard with where nobody chose."""


def sound_to_json(sound: BeatSound) -> dict[str, Any]:
    """The sound as JSON values; what is as usual is left out."""
    told = {"kit": sound.kit, "mixer": sound.mixer.to_json()}
    return {name: value for name, value in told.items() if value}


def sound_from_json(value: object) -> BeatSound:
    """The sound that `sound_to_json` wrote; names that a later version added are passed over.

    Raises SoundError about anything else.
    """
    if not isinstance(value, dict):
        raise SoundError(f"The sound of a beat is written as names and values; got {shown(value)}.")
    return BeatSound(kit=value.get("kit", ""), mixer=Mixer.from_json(value.get("mixer")))
