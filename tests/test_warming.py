"""What the first visitor would wait for is there before the server answers."""

import os
import subprocess
import sys

import pytest

from dj_core.errors import SoundError
from dj_core.library.library import Library
from dj_ui import warming
from dj_ui.models import loaded


def test_a_machine_without_sound_is_ready_all_the_same(tmp_path, monkeypatch):
    def mute(_kit):
        raise SoundError("There is no sound.")

    monkeypatch.setenv("DIGITAL_DJ_HOME", str(tmp_path))
    monkeypatch.setattr(warming, "kit_payload", mute)
    warming.make_ready()
    model = Library.open().model()
    assert loaded(model) is loaded(model)
    assert "dj_ui.player" in sys.modules


def test_a_folder_nobody_may_write_does_not_keep_the_server_from_starting(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DIGITAL_DJ_HOME", str(tmp_path / "file"))
    warming.make_ready()


@pytest.mark.parametrize("content", [b"no library at all", None], ids=["damaged", "missing"])
def test_without_a_fluidsynth_that_loads_the_app_starts_and_sounds(content, tmp_path):
    """Damaged, of another kind of machine, or missing: the kits' own samples are played."""
    library = tmp_path / "libfluidsynth.so.3"
    if content:
        library.write_bytes(content)
    program = f"""
import ctypes.util
ctypes.util.find_library = lambda name: {str(library)!r} if {bool(content)} else None
from dj_core.music.beat import Beat, Hit
from dj_core.sound.render import default_soundfont, find_soundfonts, render_stems
from dj_ui.warming import make_ready
make_ready()
default_soundfont(), find_soundfonts()
sound = render_stems(Beat((Hit(0.0, 0, 100),), 1))
print(max(abs(stem).max() for stem in sound.values()) > 0.01)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "DIGITAL_DJ_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.split() == ["True"]
