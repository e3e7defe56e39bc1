"""Taste: what is noted, what is learned of it, which styles it draws, and search by ear."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import taste_figures
from dj_core.corpus.search import catalogue_of
from dj_core.errors import GenerationError, LibraryError
from dj_core.files.beat_json import beat_key
from dj_core.library.kept_beats import Crate
from dj_core.library.library import SHIPPED_MODELS, Library
from dj_core.models.families import load_model
from dj_core.models.request import GenerationRequest, replay_request
from dj_core.music.beat import Beat, Hit
from dj_core.music.patterns import load_patterns
from dj_core.taste.heard import TRAITS, heard_in
from dj_core.taste.judgements import MOST_JUDGEMENTS, Judgement, Taste, TasteFile, taste_from_json
from dj_core.taste.preference import drawn_shares, learned, style_for
from dj_core.taste.search_by_ear import (
    Found,
    apart,
    far_takes,
    farthest,
    fresh_takes,
    in_collection,
    in_crate,
    nearest,
    sound_of_beat,
)

ASKED = GenerationRequest(genre="house", bars=2, seed=7)


@pytest.fixture(scope="module")
def model():
    return load_model(SHIPPED_MODELS / "groove")


@pytest.fixture(scope="module")
def beats():
    return list(load_patterns())


def judged(traits, liked, genre="house"):
    """Judgements of beats with these traits (in spreads), liked or not."""
    return tuple(
        Judgement(f"{number:064}", "", genre, row, {"keep" if good else "skip": 1}, float(number))
        for number, (row, good) in enumerate(zip(traits, liked, strict=True))
    )


def of_styles(model, genre, count, likes):
    """A taste that has judged styles of a genre by `likes` of their traits, by name."""
    from dj_core.taste.heard import norms_of

    numbers, _ = model.candidates(replace(ASKED, genre=genre))
    rows = norms_of(model).styles[np.resize(numbers, count)]
    names = [trait.name for trait in TRAITS]
    told = [dict(zip(names, map(float, row), strict=True)) for row in rows]
    middle = {name: float(np.median([row[name] for row in told])) for name in names}
    return Taste(judged(told, [likes(row, middle) for row in told], genre))


def few_hats(row, middle):
    return row["hats"] < middle["hats"]


# --- what is noted ------------------------------------------------------------------------------


def test_a_taste_comes_back_from_its_file_and_from_an_export(tmp_path, beats):
    file = TasteFile(tmp_path)
    file.change(lambda taste: taste.noted(beats[0], "keep").noted(beats[1], "skip"))
    file.change(lambda taste: replace(taste, weights={"kicks": -1.5}, more_me=55))
    taste = file.read()
    assert [one.verdict[0] for one in taste.judgements] == [True, False]
    assert taste_from_json(json.dumps(dict(taste.to_json())).encode()) == taste
    file.reset()
    assert not list(tmp_path.rglob("*.json"))
    assert file.read() == Taste()


def test_one_beat_is_one_judgement_and_the_surest_deed_counts(beats):
    taste = Taste()
    verdicts = []
    for deed, stars in (("skip", 1), ("replay", 1), ("keep", 1), ("stars", 2), ("stars", 5)):
        taste = taste.noted(beats[0], deed, stars)
        verdicts.append(taste.judgements[0].verdict)
    assert len(taste.judgements) == 1
    assert verdicts == [(False, 0.7), (True, 0.5), (True, 1.0), (False, 1.0), (True, 1.5)]
    put_right = taste.said(beat_key(beats[0]), False)
    assert put_right.judgements[0].verdict == (False, 1.5)
    assert put_right.said(beat_key(beats[0]), None) == taste
    assert taste.without(beat_key(beats[0])) == Taste()


def test_no_more_is_kept_than_counts():
    rows = [dict.fromkeys((trait.name for trait in TRAITS), 0.0)] * (MOST_JUDGEMENTS + 5)
    taste = Taste()
    for one in judged(rows, [True] * len(rows)):
        taste = taste.with_judgement(one)
    assert len(taste.judgements) == MOST_JUDGEMENTS
    assert taste.judgements[-1].beat == f"{MOST_JUDGEMENTS + 4:064}"


def test_a_beat_in_a_meter_without_a_grid_is_not_judged():
    from dj_core.music.beat import Meter

    odd = Beat((Hit.of("kick", 0.0),), bars=1, meter=Meter(11, 16))
    assert heard_in(odd) is None
    assert Taste().noted(odd, "keep") == Taste()


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_what_is_no_taste_is_refused_in_words(content):
    with pytest.raises(LibraryError, match="holds no taste"):
        taste_from_json(content)


def test_an_altered_export_is_refused(beats):
    told = dict(Taste().noted(beats[0], "keep").to_json())
    one = asdict(Taste().noted(beats[0], "keep").judgements[0])
    for change in (
        {"weights": {"kicks": 99.0}},
        {"more_me": 101},
        {"weights": {"moonlight": 1.0}},
        {"judgements": [one, one]},
        {"judgements": [{**one, "heard": {}}]},
        {"judgements": [{**one, "deeds": {"adore": 1}}]},
        {"judgements": [{**one, "beat": "x"}]},
        {"version": 99},
    ):
        with pytest.raises(LibraryError):
            taste_from_json(json.dumps({**told, **change}).encode())


def test_visitors_have_tastes_of_their_own_and_nobody_elses_name(tmp_path, beats):
    one, other = (TasteFile(tmp_path, letter * 32) for letter in "ab")
    one.change(lambda taste: taste.noted(beats[0], "keep"))
    assert other.read() == Taste()
    one.reset()
    assert one.read() == Taste()
    for name in ("", "../crate", "a" * 31, "A" * 32):
        with pytest.raises(LibraryError, match="nobody"):
            TasteFile(tmp_path, name)


def test_a_read_only_host_learns_nothing(tmp_path, beats, monkeypatch):
    monkeypatch.setenv("DIGITAL_DJ_READ_ONLY", "1")
    file = TasteFile(tmp_path)
    for change in (lambda: file.change(lambda t: t.noted(beats[0], "keep")), file.reset):
        with pytest.raises(LibraryError, match="read only"):
            change()
    assert not any(tmp_path.iterdir())


def test_a_damaged_taste_is_said_and_left_as_it_is(tmp_path):
    file = TasteFile(tmp_path)
    file.path.parent.mkdir()
    file.path.write_bytes(b"{")
    with pytest.raises(LibraryError, match="Reset"):
        file.change(lambda taste: taste)
    assert file.path.read_bytes() == b"{"


# --- what is learned ----------------------------------------------------------------------------


def test_it_learns_what_a_dj_keeps_and_draws_that(model):
    known = learned(of_styles(model, "house", 60, few_hats), model)
    mean, spread = known.weights("house")
    place = [trait.name for trait in TRAITS].index("hats")
    assert mean[place] < -spread[place]
    numbers, chance = model.candidates(ASKED)
    hats = known.norms.styles[numbers, place]
    drawn = [drawn_shares(known, numbers, chance, "house", more) for more in (0, 0.5, 1)]
    assert drawn[0] == pytest.approx(chance)
    means = [float(share @ hats) for share in drawn]
    assert means[0] > means[1] > means[2]
    assert all(share.sum() == pytest.approx(1) for share in drawn)
    assert (drawn[2][chance > 0] > 0).all()  # nothing is shut out for good


def test_genres_share_what_was_learned_and_deviate_where_they_differ(model):
    place = [trait.name for trait in TRAITS].index("hats")
    house = of_styles(model, "house", 60, few_hats)
    elsewhere = learned(house, model).weights("techno")[0][place]
    assert learned(house, model).weights("house")[0][place] < elsewhere < 0
    techno = of_styles(model, "techno", 60, lambda row, middle: not few_hats(row, middle))
    both = tuple(replace(one, beat=f"f{one.beat[1:]}") for one in techno.judgements)
    known = learned(Taste((*house.judgements, *both)), model)
    assert known.weights("house")[0][place] < 0 < known.weights("techno")[0][place]


def test_a_weight_set_by_hand_counts_at_once_and_instead(model):
    place = [trait.name for trait in TRAITS].index("open hats")
    assert learned(Taste(), model) is None
    only = learned(Taste(weights={"open hats": 2.0}), model)
    assert only.weights()[0][place] == 2.0
    taste = of_styles(model, "house", 40, few_hats)
    numbers, chance = model.candidates(ASKED)
    hats = only.norms.styles[numbers, [trait.name for trait in TRAITS].index("hats")]
    less, more = (
        drawn_shares(learned(one, model), numbers, chance, "house", 1.0) @ hats
        for one in (taste, replace(taste, weights={"hats": 2.0}))
    )
    assert less < more


# --- what is played -----------------------------------------------------------------------------


def test_off_means_the_same_bytes_and_a_style_given_is_the_style_drawn(model):
    """All that chance decides is as without taste; only the style is another one."""
    plain = model.generate(ASKED).beat
    assert "style" not in plain.provenance.settings
    numbers, chance = model.candidates(ASKED)
    requests = [replace(ASKED, style=int(number)) for number in numbers[chance > 0]]
    alike = [t.beat for t in model.generate_all(requests) if t.beat.hits == plain.hits]
    assert alike
    assert replace(alike[0], provenance=plain.provenance) == plain


def test_a_take_drawn_by_taste_is_made_again_from_its_provenance_alone(model):
    known = learned(of_styles(model, "house", 40, few_hats), model)
    request = replace(ASKED, style=style_for(known, model, ASKED, 1.0))
    assert style_for(known, model, ASKED, 1.0) == request.style  # the same for the same seed
    beat = model.generate(request).beat
    assert replay_request(beat.provenance).style == request.style
    assert model.generate(replay_request(beat.provenance)).beat == beat


def test_styles_that_are_not_there_are_refused(model):
    with pytest.raises(GenerationError, match="another model"):
        model.generate(replace(ASKED, style=len(model.tables.genre)))
    with pytest.raises(GenerationError, match="style"):
        replace(ASKED, style=-1)
    notes = load_model(SHIPPED_MODELS / "paper-2x32")
    with pytest.raises(GenerationError, match="no styles"):
        notes.generate(GenerationRequest(bars=1, style=1))


def test_simulated_djs_get_more_of_what_they_like(model, monkeypatch):
    """A small piece of `benchmarks/taste_figures`, which measures it at length."""
    monkeypatch.setattr(taste_figures, "GENRES", (("house",),))
    monkeypatch.setattr(taste_figures, "TAKES_A_STYLE", 2)
    monkeypatch.setattr(taste_figures, "ASKED", 32)
    monkeypatch.setattr(taste_figures, "ASKED_AFTER", 0)
    heard = {"house": taste_figures.play(model, "house")}
    shares = [
        taste_figures.session(model, heard, "near", ("house",), seed, 1.0)["shares"]
        for seed in range(3)
    ]
    before, after = np.mean(shares, axis=0)[:3].mean(), np.mean(shares, axis=0)[26:].mean()
    assert before < 0.3
    assert after >= 0.4
    assert after >= 1.5 * before


# --- search by ear ------------------------------------------------------------------------------


def test_a_beat_is_nearest_to_itself_whatever_its_kit_tempo_and_first_bar(beats):
    for beat in beats[:: len(beats) // 5]:
        sound = sound_of_beat(beat)
        assert apart(sound, sound_of_beat(replace(beat, tempo_bpm=77.0, title="x"))) == 0
        among = [Found(other, "", 0.0) for other in beats]
        assert nearest(sound, among, 1)[0].beat.hits == beat.hits


def test_distances_are_symmetric_and_grow_with_every_change(beats):
    beat = max(beats, key=lambda one: len(one.hits))
    sound = sound_of_beat(beat)
    far = 0.0
    for left_out in (1, len(beat.hits) // 3, len(beat.hits) // 2, len(beat.hits) - 1):
        other = sound_of_beat(replace(beat, hits=beat.hits[left_out:]))
        assert apart(sound, other) == pytest.approx(apart(other, sound))
        assert apart(sound, other) > far
        far = apart(sound, other)
    assert far <= 1


def test_search_looks_through_crate_collections_and_new_takes(home, model, beats):
    library = Library.open()
    crate = Crate.open()
    one, other = (crate.keep(beat) for beat in beats[:2])
    assert [found.name for found in in_crate(crate, but=one.id)] == [other.name]
    corpus = library.corpora()[0]
    files = list(in_collection(catalogue_of(corpus), beats[0], most=5))
    assert len(files) == 5
    assert {found.where for found in files} == {corpus.name}
    beat = model.generate(ASKED).beat
    takes = fresh_takes(model, beat, seed=3)
    usual = [model.generate(replace(ASKED, seed=seed)).beat for seed in range(8)]
    sound = sound_of_beat(beat)
    near, far = (
        np.mean([apart(sound, sound_of_beat(found)) for found in some])
        for some in ([take.beat for take in takes], usual)
    )
    assert near < far


def test_a_surprise_is_far_from_all_that_was_kept(model, beats):
    kept = [model.generate(replace(ASKED, seed=seed)).beat for seed in range(4)]
    sounds = [sound_of_beat(beat) for beat in kept]
    among = [Found(beat, "", 0.0) for beat in [*beats, *kept]]
    least = farthest(sounds, among, 3)
    assert max(one.likeness for one in least) < 0.5
    takes = far_takes(model, ("house", "techno"), kept, 5)
    assert {take.beat.genre for take in takes} == {"house", "techno"}
    assert takes == far_takes(model, ("house", "techno"), kept, 5)
