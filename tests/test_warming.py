"""What the first visitor would wait for is there before the server answers."""

import sys

from dj_core.errors import SoundError
from dj_core.library import Library
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
