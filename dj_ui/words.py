"""Display names: states of runs, presets, durations."""

from __future__ import annotations

import re
import tempfile
import unicodedata
from pathlib import Path

from dj_core.library.library import PRODUCT_FOLDER, Library
from dj_core.library.training_jobs import Run

_PRESETS = {
    "groove": "Groove · beats with feel, in any genre",
    "groove-quick": "Groove, quick · a smaller one to try things with",
    "notes-best": "Notes, best · the paper's notes with their times, by genre",
    "notes-rhythm": "Rhythm · notes with their lengths, by genre",
    "notes-quick": "Notes, quick · the paper's notes in seconds",
    "paper-1x128": "Paper · 1 layer of 128",
    "paper-2x32": "Paper · 2 layers of 32",
    "paper-2x32-slow": "Paper · 2 layers of 32, slow",
    "skuli-2017": "Cited · Skuli 2017",
    "folk-rnn-2016": "Cited · folk-rnn 2016",
    "gru-1x128": "Compared · GRU, 1 layer of 128",
    "rnn-1x128": "Compared · plain recurrent, 1 layer of 128",
    "res-rnn-1x128": "Compared · Res-RNN, 1 layer of 128",
}


_MARKDOWN = re.compile(r"([\\`*_\[\]<>&~$]|^[#+-])")
# addresses, and what stands between colons: links, emoji and icons to Streamlit
_ADDRESS = re.compile(r"(?<=:)(?=//|[A-Za-z+-])|(?i:(?<=www)(?=\.))")
_WORD_JOINER = "\u2060"  # nothing to see; what has one in it is not read as more than text
MOST_SPOKEN = 600  # characters


def spoken(words: object) -> str:
    """An error, a name or other words from elsewhere, for text that Streamlit reads as Markdown.

    They are shown as they stand: no link, picture or style comes of them, nor do characters that
    turn the direction of writing. Places on the server's disk are told by their last part.
    """
    text = without_places(str(words))
    text = "".join(" " if character in "\r\n\t" else character for character in text)
    text = "".join(each for each in text if unicodedata.category(each) not in ("Cc", "Cf", "Cs"))
    if len(text) > MOST_SPOKEN:
        text = text[:MOST_SPOKEN] + "…"
    return _ADDRESS.sub(_WORD_JOINER, _MARKDOWN.sub(r"\\\1", text))


def without_places(text: str) -> str:
    """Paths below the DJ's folder, ours and the system's own cut to what follows."""
    home = Library.open().home
    for place in (home, PRODUCT_FOLDER, Path(tempfile.gettempdir()), Path.home()):
        if len(place.parts) < 2:
            continue  # everything lies below the root
        for told in {str(place), str(place.absolute()), str(place.resolve())}:
            name = "the DJ's folder" if place == home else place.name
            text = text.replace(f"{told}/", "").replace(told, name)
    return text


def preset_label(preset: str) -> str:
    """What to call a training preset; one this table does not know goes by its name."""
    return _PRESETS.get(preset, preset)


def state_words(run: Run) -> str:
    """What a run is doing: 'starting', 'running', 'finished', 'stopped', 'failed', 'died'."""
    return "starting" if run.starting and run.state == "running" else run.state


def duration_words(seconds: float) -> str:
    """A time span as a clock shows it: '0:42', '12:05', '1:02:05'."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about_long(seconds: float) -> str:
    """How long something takes, as one would say it: 'about 5 minutes', 'about 2 hours'."""
    minutes = seconds / 60
    if minutes < 1.5:
        return "about a minute"
    if minutes < 55:
        rounded = round(minutes) if minutes < 10 else 5 * round(minutes / 5)
        return f"about {rounded} minutes"
    hours = round(minutes / 30) / 2
    return "about an hour" if hours == 1 else f"about {hours:g} hours"
