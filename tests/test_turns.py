"""Many visitors at one server: whose turn it is, what is kept for them, what takes too long."""

import asyncio
import gc
import sys
import threading
import time

import pytest

from dj_core.errors import CorpusError
from dj_core.files.midi import midi_bytes
from dj_core.host.queues import Line
from dj_core.library.library import BrokenModel, Library, _model_info, _state_of
from dj_core.music.patterns import load_patterns
from dj_ui import turns
from dj_ui.downloads import LastFiles


@pytest.fixture
def one_at_a_time(monkeypatch):
    for name in ("_TAKES", "_RENDERS"):
        monkeypatch.setattr(turns, name, Line(1, 10))


@pytest.mark.parametrize(
    "turn",
    [lambda: turns.turn_to_play("Playing…", 4), turns.turn_to_render],
    ids=["play", "render"],
)
def test_who_comes_first_is_served_first_and_a_failure_holds_nobody_up(turn, one_at_a_time):
    order, first_is_in, first_may_go = [], threading.Event(), threading.Event()

    def first():
        with turn():
            first_is_in.set()
            first_may_go.wait(30)
            order.append("first")
            raise ValueError("it failed")

    def later(name):
        with turn():
            order.append(name)

    def failing():
        with pytest.raises(ValueError, match="it failed"):
            first()

    line = turns._TAKES if turn is not turns.turn_to_render else turns._RENDERS
    threads = [threading.Thread(target=failing)]
    threads[0].start()
    assert first_is_in.wait(30)
    for number, name in enumerate(("second", "third"), start=2):
        threads.append(threading.Thread(target=later, args=(name,)))
        threads[-1].start()
        while len(line._tickets) < number:
            threading.Event().wait(0.005)
    assert order == []
    first_may_go.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "second", "third"]
    assert line._tickets == []


def test_a_set_gives_way_to_takes_and_not_for_ever(one_at_a_time, monkeypatch):
    monkeypatch.setattr(turns, "_SECONDS_TO_STAND_BACK", 0.3)
    ticket = turns._TAKES.join()
    started = time.monotonic()
    turns.give_way()
    assert time.monotonic() - started >= 0.3
    monkeypatch.setattr(turns, "_SECONDS_TO_STAND_BACK", 60)
    threading.Timer(0.1, turns._TAKES.leave, [ticket]).start()
    turns.give_way()
    assert not turns._TAKES.busy


def test_who_waits_for_a_file_sees_their_place(one_at_a_time):
    told, may_go = [], threading.Event()

    def before():
        with turns.turn_to_render():
            may_go.wait(30)

    def asked():
        with turns.turn_to_render(told.append):
            pass

    threads = [threading.Thread(target=work) for work in (before, before, asked)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        while len(turns._RENDERS._tickets) < number:
            threading.Event().wait(0.005)
    while not told:
        threading.Event().wait(0.005)
    assert told == ["In line: 2 files of other visitors first."]
    may_go.set()
    for thread in threads:
        thread.join(30)
    assert told[-1] == "Your file is being made."


def test_a_server_shares_its_time():
    before = sys.getswitchinterval()
    try:

        async def started():
            turns.share_time()
            at_once = turns.LIMITS.renders_at_once + turns.LIMITS.waiting
            held = threading.Barrier(at_once + 2)
            waits = [asyncio.to_thread(held.wait, 30) for _ in range(at_once + 1)]
            all_of_them = asyncio.gather(*waits)
            while held.n_waiting < at_once + 1:  # all that may wait do, and one more besides
                await asyncio.sleep(0.005)
            assert await asyncio.to_thread(lambda: "small") == "small"
            await asyncio.to_thread(held.wait, 30)
            await all_of_them

        asyncio.run(started())
        assert sys.getswitchinterval() < before
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()


def test_files_asked_for_last_are_kept_and_no_more_than_so_many_bytes():
    files = LastFiles(10)
    files.keep("a", b"aaaa")
    files.keep("b", b"bbbb")
    assert files.get("a") == b"aaaa"  # and so b is what nobody asked for the longest
    files.keep("c", b"cccc")
    assert [files.get(name) for name in "abc"] == [b"aaaa", None, b"cccc"]
    files.keep("c", b"CC")
    files.keep("d", b"dddd")
    assert [files.get(name) for name in "acd"] == [b"aaaa", b"CC", b"dddd"]
    files.keep("e", b"far too long")
    assert [files.get(name) for name in "acde"] == [None] * 4


def test_an_import_that_takes_too_long_ends_with_a_reason_and_leaves_nothing(tmp_path):
    library = Library(tmp_path / "home")
    source = tmp_path / "files"
    source.mkdir()
    for number, beat in enumerate(load_patterns()[:3]):
        (source / f"{number}.mid").write_bytes(midi_bytes(beat))
    with pytest.raises(CorpusError, match=r"of 3 files were read in 0 seconds.*Nothing was added"):
        library.import_corpus(source, "mine", most_seconds=0)
    assert not (library.corpora_folder / "mine").exists()
    told = []
    report = library.import_corpus(
        source, "mine", progress=lambda *so_far: told.append(so_far), most_seconds=600
    )
    assert len(report.accepted) == 3
    assert told[-1] == (3, 3)


def test_a_models_card_is_read_anew_when_it_changes(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()

    def seen():
        return _model_info(folder, "mine", False, _state_of(folder))

    assert isinstance(seen(), BrokenModel)
    (folder / "model.json").write_text("{}")
    nothing = seen().reason
    assert seen() is seen()
    (folder / "model.json").write_text("[]")
    assert seen().reason != nothing


def test_no_way_to_a_take_gets_a_turn_for_more_than_generate_may_ask(monkeypatch):
    """A hostile beat of a thousand bars, played again or shaped; many notes; very long bars."""
    from dj_core.errors import GenerationError
    from dj_core.models.request import GenerationRequest
    from dj_core.music.beat import Beat, Meter, Provenance
    from dj_ui.replay import play_again

    def nobody_waits(_):
        raise AssertionError("it took a turn")

    monkeypatch.setattr(turns._TAKES, "join", nobody_waits)
    long = {"meter": "4/4", "bars": 1_000, "temperature": 1.0}
    beat = Beat((), bars=1_000, provenance=Provenance(model="groove", seed=1, settings=long))
    with pytest.raises(GenerationError, match="1,000 bars"):
        play_again(beat)
    for bars in (
        turns.bars_of(beat),
        turns.bars_asked(GenerationRequest(bars=64, meter=Meter(64, 1))),
        turns.bars_asked(GenerationRequest(notes=20_000)),
    ):
        with pytest.raises(GenerationError, match="fewer"), turns.turn_to_play("Playing…", bars):
            pass
