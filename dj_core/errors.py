"""Every error Digital DJ raises on purpose.

A message says what is wrong, what was received and what to do about it; it is written to
be shown to a DJ as it stands. Pages and the command line catch `DigitalDJError` only.
"""

import errno


class DigitalDJError(Exception):
    """Base class; never raised itself."""


class BeatError(DigitalDJError):
    """A beat that cannot exist."""


class PatternError(DigitalDJError):
    """A starter pattern that cannot be read."""


class MidiError(DigitalDJError):
    """A MIDI file that is damaged, hostile, or holds no drums."""


class CorpusError(DigitalDJError):
    """A corpus that cannot be imported, found or used."""


class TokenizerError(DigitalDJError):
    """Text or ids the tokenizer does not know."""


class CheckpointError(DigitalDJError):
    """A model folder that is incomplete, altered or of another version."""


class TrainingError(DigitalDJError):
    """A training run that cannot start, continue or be found."""


class GenerationError(DigitalDJError):
    """A request no model can fulfil as asked."""


class SoundError(DigitalDJError):
    """FluidSynth or a SoundFont is missing or refuses to play."""


class SetError(DigitalDJError):
    """A set that cannot be planned, saved or packed."""


class SetChangedError(SetError):
    """A set that somebody else changed, renamed or removed since it was opened."""


class LibraryError(DigitalDJError):
    """The user's own folder: a bad name, a full disk, a missing permission."""


NO_SPACE = "there is no space left on the disk. Free some space and try again"
OTHER_FOLDER = "Choose a folder that you may write to"
OTHER_HOME = "Set DIGITAL_DJ_HOME to a folder you own"
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: a limit on the size of one file


def not_saved(what: str, error: OSError, else_do: str = OTHER_FOLDER) -> LibraryError:
    """What to say where something cannot be written: the same words wherever it is.

    Args:
        what: the sentence's beginning, as in 'The crate could not be saved'.
        error: why; a full disk, a folder of somebody else's, a disk that may only be read.
        else_do: what to do where it is not for want of space.
    """
    why = NO_SPACE if error.errno in FULL_DISK else f"{error.strerror or error}. {else_do}"
    return LibraryError(f"{what}: {why}; nothing was changed.")
