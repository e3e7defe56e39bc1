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


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"no library at all", "damaged or made for another"), (None, "missing")],
)
def test_the_app_starts_beside_a_fluidsynth_that_does_not_load(content, reason, tmp_path):
    """Damaged, of another kind of machine, or missing: one sentence with the fix, no OSError."""
    library = tmp_path / "libfluidsynth.so.3"
    if content:
        library.write_bytes(content)
    program = f"""
import ctypes.util
ctypes.util.find_library = lambda name: {str(library)!r} if {bool(content)} else None
from dj_core.sound.render import check_sound, default_soundfont, find_soundfonts
from dj_core.errors import SoundError
from dj_ui.warming import make_ready
make_ready()
default_soundfont(), find_soundfonts()
for _ in range(2):
    try:
        check_sound()
    except SoundError as error:
        print(error)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "DIGITAL_DJ_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-3000:]
    said = answer.stdout.splitlines()
    assert len(said) == 2
    assert said[0] == said[1]
    assert reason in said[0]
    assert "libfluidsynth3" in said[0]
