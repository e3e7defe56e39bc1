"""The blind test: fair pairs, honest statistics, judgements that are kept and deleted, the page."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from conftest import PHONE
from hypothesis import given
from hypothesis import strategies as st

from dj_core.blind_test.judgement_file import FOLDER, JudgementFile, judgements_csv
from dj_core.blind_test.judging import MARGIN, Judgement, Tally, learning_curve, tallies
from dj_core.blind_test.pairs import BARS, LUFS, BlindTest, levelled, pair_of, part_of, pool_of
from dj_core.errors import GenerationError, LibraryError
from dj_core.files.midi import midi_bytes
from dj_core.library.library import Library
from dj_core.models.families import load_model
from dj_core.music.beat import Beat, Hit
from dj_core.music.composer import written_phrases
from dj_core.music.patterns import genre_patterns
from dj_core.sound.loudness import loudness_lufs, true_peak_dbtp

SESSION = "0123456789abcdef" * 2
ONE = Judgement(
    "Ada", "both-10-1-abc", 1, "funk", 98.0, "A", "B", 3.5, 2.0, "groove: a.mid", 5, 9.0
)
SIMULATED = 2_000

# -- statistics ------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.5, 0.6, 0.75, 1.0])
@pytest.mark.parametrize("judged", [20, 50, 200])
def test_intervals_hold_the_true_share_as_often_as_they_say(share, judged):
    held = [
        low <= share <= high
        for low, high in (Tally(judged, n, 0).interval for n in range(judged + 1))
    ]
    rights = np.random.default_rng(1).binomial(judged, share, SIMULATED)
    assert np.mean(np.array(held)[rights]) >= 0.93


@pytest.mark.parametrize(
    ("listener", "judged", "fewest", "most"),
    [
        ("guessing", 200, 0.35, 0.41),
        ("guessing", 400, 0.88, 0.93),
        ("always right", 200, 0, 0),
        ("one-sided", 200, 0, 0),
        ("60% right", 200, 0, 0.0125),
        ("60% right", 400, 0, 0.0125),
    ],
)
def test_equivalence_is_claimed_of_guessers_and_of_nobody_else(listener, judged, fewest, most):
    draw = np.random.default_rng(2)
    human = draw.integers(2, size=(SIMULATED, judged)).astype(bool)  # on side A
    right = draw.random((SIMULATED, judged)) < {"always right": 1, "60% right": 0.6}.get(
        listener, 0.5
    )
    chose_a = np.ones_like(human) if listener == "one-sided" else human == right
    rights, sides = (chose_a == human).sum(axis=1), chose_a.sum(axis=1)
    within = np.array([Tally(judged, n, judged // 2).equivalent for n in range(judged + 1)])
    even = np.array([not Tally(judged, judged // 2, n).one_sided for n in range(judged + 1)])
    claimed = within[rights] & even[sides]
    assert claimed[0] == Tally(judged, int(rights[0]), int(sides[0])).equivalent
    assert fewest <= claimed.mean() <= most


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_an_interval_is_around_its_share_and_turns_with_it(counts):
    judged, right = counts
    low, high = Tally(judged, right, 0).interval
    assert 0 <= low <= right / judged <= high <= 1
    assert Tally(judged, judged - right, 0).interval == pytest.approx((1 - high, 1 - low))
    if Tally(judged, right, judged // 2).equivalent:
        assert abs(right / judged - 0.5) < MARGIN


def test_what_is_known_is_said():
    for tally, words in (
        (Tally(10, 5, 5), "Not decided"),
        (Tally(20, 19, 10), "difference is heard"),
        (Tally(20, 1, 10), "wrong way round"),
        (Tally(20, 10, 20), "A was chosen 20 times"),
        (Tally(20, 10, 0), "B was chosen 20 times"),
        (Tally(200, 100, 100), "cannot be told apart"),
        (Tally(5_000, 2_600, 2_500), "slight"),
    ):
        assert words in tally.words


def test_judgements_are_counted_by_listener_and_learning_is_seen():
    given = [replace(ONE, pair=n, chosen="A" if n > 10 else "B") for n in range(1, 21)]
    assert tallies([*given, replace(ONE, listener="Bo")], lambda one: one.listener) == {
        "Ada": Tally(20, 10, 10), "Bo": Tally(1, 0, 0),
    }  # fmt: skip
    assert learning_curve(given)[0] == (10, 0.0)
    assert learning_curve(given)[-1] == (20, 1.0)


# -- pairs -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played():
    """The shipped model, and what its weights are called."""
    info = Library.open().model(None)
    return load_model(info.folder), info.card["weights_sha256"]


def test_pairs_differ_in_nothing_but_the_music_and_come_back_to_the_bit(home, tmp_path, played):
    sheet = ["midi_filename,style,bpm,beat_type,time_signature,split"]
    folder = tmp_path / "set"
    folder.mkdir()
    for number, split in enumerate(("train", "test", "validation", "")):
        beat = next(one for one in genre_patterns("rock") if one.bars == 2)
        hits = tuple(
            replace(
                hit,
                onset_quarters=hit.onset_quarters + 8 * turn,
                source_note=26 if hit.lane == 6 else None,
            )
            for turn in range(6)
            for hit in (*beat.hits, Hit.of("crash", 7.5))  # it rings where a loop closes
        )
        (folder / f"{number}.mid").write_bytes(midi_bytes(replace(beat, hits=hits, bars=12)))
        sheet.append(f"{number}.mid,rock,{100 + number},beat,4-4,{split}")
    (folder / "info.csv").write_text("\n".join(sheet))
    library = Library(home)
    assert pool_of(library, *played).seen  # starter patterns, for want of others
    library.import_corpus(folder, "mine")
    pool = pool_of(library, *played)
    assert [one.origin for one in pool.drummers] == ["mine: 1.mid", "mine: 2.mid"]
    held_out = {
        beat.title for genre in ("house", "trap") for beat in written_phrases(genre, True).phrases
    }
    for source in pool.producers:
        if source.genre in ("house", "trap"):
            assert {beat.title for beat in source.read()} <= held_out
    test = BlindTest("both", 4, 11)
    pairs = [pair_of(test, number, pool, played[0]) for number in range(1, 5)]
    assert {pair.origin.split(":")[0].split(" ")[0] for pair in pairs} == {"mine", "written"}
    for pair in pairs:
        one, other = ([*wav_chunks(sound)] for sound in pair.sounds)
        assert one == other == [("fmt ", 16), ("data", one[1][1])]
        sounds = [soundfile.read(io.BytesIO(sound))[0] for sound in pair.sounds]
        lufs, peaks = zip(
            *((loudness_lufs(s, 44_100), true_peak_dbtp(s)) for s in sounds), strict=True
        )
        assert abs(lufs[0] - lufs[1]) <= 0.1
        assert abs(peaks[0] - peaks[1]) <= 0.2
        first = [np.abs(sound[0]).max() for sound in sounds]
        assert first[0] == pytest.approx(first[1], rel=0.5)  # neither begins or ends in silence
        assert min(np.abs(sound[-44:]).max() for sound in sounds) > 10 ** (-60 / 20)
        for beat in pair.beats:
            assert (beat.bars, beat.tempo_bpm, beat.title) == (BARS, pair.tempo_bpm, "")
            assert beat.hits[0].onset_quarters == 0
            assert {
                (hit.source_note, hit.duration_quarters, hit.condition) for hit in beat.hits
            } == {(None,) * 3}
    again = pair_of(test, 4, pool, played[0])
    assert (again.human, again.sounds) == (pairs[3].human, pairs[3].sounds)
    assert pair_of(replace(test, seed=13), 4, pool, played[0]).sounds != again.sounds


def wav_chunks(content):
    """Name and length of every chunk of a WAV file."""
    at = 12
    while at < len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        yield content[at : at + 4].decode(), length
        at += 8 + length


STROKES = st.lists(
    st.tuples(st.floats(0, 31.99), st.integers(0, 15), st.integers(1, 127)), min_size=1, max_size=80
)


@given(STROKES, st.sampled_from([0, 4]))
def test_a_part_begins_with_a_stroke_and_loses_none(strokes, bar):
    beat = Beat(tuple(Hit(*stroke) for stroke in strokes), 8, 100.0)
    part = part_of(beat, bar)
    if part is None:
        return
    inside = [hit for hit in beat.hits if -0.125 <= hit.onset_quarters - 4 * bar < 15.875]
    assert part.hits[0].onset_quarters == 0
    assert [(hit.lane, hit.velocity) for hit in part.hits] == [
        (hit.lane, hit.velocity) for hit in sorted(inside, key=lambda hit: hit.onset_quarters)
    ] or len({hit.onset_quarters for hit in inside}) < len(inside)
    assert len(part.hits) == len(inside)


@pytest.mark.parametrize(("decay", "fits"), [(4_000, True), (8_000, True), (300, False)])
def test_loops_of_any_level_are_brought_to_one_or_refused(decay, fits):
    draw = np.random.default_rng(decay)
    sounds = []
    for level, frames in ((draw.uniform(0.02, 3), decay), (draw.uniform(0.02, 3), 12_000)):
        fall = np.exp(-np.arange(11_025) / frames)[:, np.newaxis]
        bursts = [level * fall * draw.uniform(-1, 1, (11_025, 2)) for _ in range(8)]
        sounds.append(np.concatenate(bursts).astype(np.float32))
    found = levelled(sounds)
    assert bool(found) == fits
    for sound in found:
        assert loudness_lufs(sound, 44_100) == pytest.approx(LUFS, abs=0.05)
        assert true_peak_dbtp(sound) == pytest.approx(true_peak_dbtp(found[0]), abs=0.2)


@pytest.mark.parametrize(
    "odd", [("drums", 10, 1), ("both", 0, 1), ("both", 10, 0), ("both", 1.5, 1)]
)
def test_odd_tests_are_refused(odd):
    with pytest.raises(GenerationError):
        BlindTest(*odd)


# -- what is kept ----------------------------------------------------------------------------------


def test_judgements_are_kept_once_and_deletion_deletes(tmp_path, monkeypatch):
    file = JudgementFile(tmp_path, SESSION)
    assert file.all() == ()
    file.add([ONE, replace(ONE, listener="Bo")])
    JudgementFile(tmp_path, SESSION).add([replace(ONE, chosen="A"), replace(ONE, pair=2)])
    assert file.all() == (ONE, replace(ONE, listener="Bo"), replace(ONE, pair=2))
    assert JudgementFile(tmp_path, "f" * 32).all() == ()
    kept = json.loads(file.path.read_text())
    file.path.write_text(json.dumps([*kept, {"listener": 3}, "odd"]))
    assert len(file.all()) == 3
    file.delete("Ada")
    assert file.all() == (replace(ONE, listener="Bo"),)
    assert "Ada" not in file.path.read_text()
    file.delete()
    assert [*(tmp_path / FOLDER).glob("*.json")] == []
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    with pytest.raises(LibraryError, match="read only"):
        file.add([ONE])
    with pytest.raises(LibraryError):
        JudgementFile(tmp_path, "../../etc")


def test_csv_holds_every_judgement_and_no_formula():
    rows = judgements_csv([replace(ONE, listener="=1+1"), ONE]).splitlines()
    assert rows[0].startswith("listener,test,pair,genre")
    assert rows[0].endswith("at,right")
    assert rows[1].startswith("'=1+1,")
    assert rows[2] == "Ada,both-10-1-abc,1,funk,98.0,A,B,3.5,2.0,groove: a.mid,5,9.0,0"


# -- the page --------------------------------------------------------------------------------------

FACE = """[...document.querySelectorAll('*')]
  .map((one) => one.shadowRoot?.querySelector('.ab')).find(Boolean)?.abFace"""
SUMS = (
    f"""() => {FACE}.buffers.map((one) => one.getChannelData(0).reduce((sum, x) => sum + x * x))"""
)


def judge(screen, pairs, players=("",)):
    """Hear and judge every pair; what the first one sounds like, in two numbers."""
    page = screen.page
    first = None
    for number in range(1, pairs + 1):
        page.wait_for_function(f"{FACE}?.buffers && {FACE}.data.pair.endsWith('-{number}')")
        first = first or page.evaluate(SUMS)
        answer = page.get_by_role("button", name="A is the").first
        if number == 1:
            assert answer.is_disabled()  # nothing was heard yet
            page.get_by_role("button", name="Play").click()
        page.wait_for_function(f"{FACE}.sources")  # the next pair sounds by itself
        begun = page.evaluate(f"{FACE}.begun")
        page.keyboard.press("b")
        assert page.get_by_role("button", name="Hear B").get_attribute("aria-pressed") == "true"
        assert page.evaluate(f"{FACE}.begun") == begun  # in step: switched, not started again
        with screen.rerun(moves=number == pairs):
            for player in players:
                page.get_by_role("button", name=f"{player}A is the").click()
    return first


@pytest.mark.browser
def test_a_test_is_taken_shared_and_reloaded_and_visitors_stay_apart(screen, visitor, app):
    page = screen.page
    screen.open("/blind_test?kind=producers&pairs=2&seed=7")
    page.get_by_label("Your name").fill("Ada")
    with screen.rerun(moves=True):
        page.get_by_label("Your name").press("Enter")
    with screen.rerun(moves=True):
        page.get_by_role("button", name="Start").click()
    heard = judge(screen, 2)
    page.get_by_text("of 2", exact=False).first.wait_for()
    assert len([*(app.home / FOLDER).glob("*.json")]) == 1
    page.reload()
    screen.settle(moves=True)
    page.get_by_role("heading", name="This test").wait_for()
    link = page.locator("code").inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.path().read_text("utf-8").count("\nAda,") == 2

    other = visitor(viewport=PHONE)
    other.open(link.removeprefix(other.url))
    phone = other.page
    assert not phone.get_by_role("heading", name="All judgements here").is_visible()
    with other.rerun(moves=True):
        phone.get_by_text("Two players").click()
    for label, name in (("Your name", "Bo"), ("The other's name", "Cy")):
        phone.get_by_label(label).fill(name)
        with other.rerun(moves=True):
            phone.get_by_label(label).press("Enter")
    with other.rerun(moves=True):
        phone.get_by_role("button", name="Start").click()
    assert judge(other, 2, ("Bo: ", "Cy: ")) == heard
    phone.get_by_role("heading", name="A draw").wait_for()
    assert "Ada" not in phone.locator(".stApp").inner_text()
    with other.rerun(moves=True):
        phone.get_by_role("button", name="Delete judgements").click()
    (kept,) = (app.home / FOLDER).glob("*.json")
    assert "Ada" in kept.read_text()
    assert "Bo" not in kept.read_text()
