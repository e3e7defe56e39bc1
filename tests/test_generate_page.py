"""Generate and Train without a browser: what they say and do."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dj_core.corpus.note_strings import NoteEvent, NoteSong
from dj_core.files.midi import midi_bytes
from dj_core.library.library import Library
from dj_core.models.families import family_of, presets, settings_from, train_run
from dj_core.models.notes.note_training import NoteTrainingSettings
from dj_core.models.request import Feel, replay_request
from dj_core.music.drums import DRUM
from dj_core.music.genres import GENRE
from dj_core.music.patterns import load_patterns
from dj_core.music.traits import trait
from dj_ui.deck import DEFAULT_KIT
from dj_ui.models import model_label
from dj_ui.takes import TAKES_KEPT

ROOT = Path(__file__).resolve().parent.parent
WAIT_SECONDS = 120


def songs():
    """Eight one-bar songs of two genres, enough to learn a vocabulary from."""
    names = ("C2", "F#2", "D2", "C2 F#2", "rest", "F#2", "D2", "B-1")
    assert DRUM["kick"].note == 36  # music21's C2
    return [
        NoteSong(
            file_id=f"{number:064}",
            genre=("house", "rock")[number % 2],
            split="validation" if number > 5 else "train",
            events=tuple(
                NoteEvent(names[(step + number) % 8], step * 0.5, 0.5) for step in range(8)
            ),
        )
        for number in range(8)
    ]


@pytest.fixture(scope="session")
def small_models(tmp_path_factory):
    """Two tiny models: one that knows rhythm and genres, and one of the paper's kind."""
    folder = tmp_path_factory.mktemp("models")
    small = {"epochs": 1, "hidden": 8, "layers": 1, "take_every_epochs": 0}
    for name, settings in (
        ("with-genres", NoteTrainingSettings(durations=True, prime=True, **small)),
        ("paper-like", NoteTrainingSettings(**small)),
    ):
        list(train_run(settings, songs(), folder / name))
    return folder


@pytest.fixture
def models(home, small_models):
    """A DJ's folder with the two tiny models in it, as finished runs."""
    home.mkdir()
    (home / "runs").symlink_to(small_models)


@pytest.fixture
def nothing_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr("dj_core.library.library.SHIPPED_MODELS", tmp_path / "none")


def visit(page="generate", **link):
    at = AppTest.from_file(str(ROOT / "home.py"), default_timeout=WAIT_SECONDS)
    for key, value in link.items():
        at.query_params[key] = value
    at.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    return at


def click(at, key):
    at.button(key=key).click().run()
    assert not at.exception
    return at


def text(at):
    return "\n".join(element.proto.body for element in at.get("html"))


def on_deck(at):
    """What the deck on the page was given."""
    (deck,) = [
        one.proto for one in at.get("bidi_component") if one.proto.component_name == "dj_deck"
    ]
    return json.loads(deck.json)


def takes(at):
    return at.session_state.get("dj_takes", ())


def test_a_first_visit_shows_a_beat_and_an_invitation(models):
    at = visit()
    assert on_deck(at)["name"].startswith("Written phrase · ")
    assert on_deck(at)["beat"]["hits"]
    assert on_deck(at)["play"] is None
    assert not takes(at)


def test_one_click_puts_a_take_on_deck_with_everything_about_it(models):
    at = click(visit(model="with-genres", bars="2", seed="7", genre="House"), "dj_go")
    take = takes(at)[-1].take
    assert take.beat.bars == 2
    assert take.beat.genre == "house"
    words = text(at)
    for shown in ("What it played most", "How it was made"):
        assert shown in words
    assert on_deck(at)["name"] == f"Take 2 · House · {trait(take.beat)}"
    assert len(on_deck(at)["beat"]["hits"]) == len(take.beat.hits)
    assert on_deck(at)["play"]
    assert f"{take.distinct_notes} of {len(take.notes)} notes are distinct" in words


def test_a_link_with_a_seed_makes_its_beat_at_once(models):
    first, second = (visit(model="with-genres", seed="7", tempo="99", bars="1") for _ in range(2))
    beat = takes(first)[0].take.beat
    assert beat.tempo_bpm == 99
    assert beat.provenance.seed == 7
    assert beat.hits == takes(second)[0].take.beat.hits


def test_generate_takes_a_new_seed_only_when_the_old_one_was_heard(models):
    at = visit(model="with-genres")
    at.number_input(key="seed").set_value(5)
    seeds = [takes(click(at, "dj_go"))[-1].settings["seed"] for _ in range(3)]
    assert seeds[0] == 5
    assert len(set(seeds)) == 3
    assert at.session_state["seed"] == seeds[-1]


def test_same_seed_changes_only_the_knob_that_was_turned(models):
    at = click(visit(model="with-genres", bars="4"), "dj_go")
    at.number_input(key="tempo").set_value(171)
    click(at, "dj_same")
    before, after = (kept.take.beat for kept in takes(at))
    assert after.tempo_bpm == 171
    assert after.hits == before.hits


def test_greedy_is_the_same_whatever_the_seed_and_temperature_is_not(models):
    greedy = [
        takes(visit(model="paper-like", sampling="Greedy", seed=seed, start="C2"))[0].take.notes
        for seed in ("1", "2")
    ]
    assert greedy[0] == greedy[1]
    wild = visit(model="paper-like", temperature="5.0", seed="1", length="Notes", notes="500")
    assert len(takes(wild)[0].take.notes) == 500
    assert takes(wild)[0].take.distinct_notes > len(set(greedy[0]))


def test_the_last_takes_stay_and_choosing_one_restores_its_settings(models):
    at = visit(model="with-genres", bars="1")
    for tempo in range(100, 110):
        at.number_input(key="tempo").set_value(tempo)
        click(at, "dj_go")
    assert [kept.settings["tempo"] for kept in takes(at)] == list(range(102, 110))
    assert len(takes(at)) == TAKES_KEPT
    third = takes(at)[2]
    at.button_group(key="dj_on_deck").set_value(third.number).run()
    assert not at.exception
    assert at.number_input(key="tempo").value == third.settings["tempo"]
    assert at.number_input(key="seed").value == third.settings["seed"]


def test_the_temperature_strip_is_one_seed_at_five_temperatures(models):
    at = click(visit(model="paper-like", seed="3", length="Notes", notes="64"), "dj_strip_go")
    strip = at.session_state["dj_strip"]
    assert list(strip) == ["Greedy", "0.5", "1", "2", "5"]
    assert {kept.take.beat.provenance.seed for kept in strip.values()} == {3}
    click(at, "dj_deck_2")
    assert takes(at)[-1].take.notes == strip["2"].take.notes
    assert at.slider(key="temperature").value == 2.0


def test_a_genre_brings_its_tempo(models):
    at = visit(model="with-genres")
    at.selectbox(key="genre").set_value("House").run()
    assert at.number_input(key="tempo").value == 124


def test_a_model_without_genres_offers_none(models):
    assert "genre" not in [box.key for box in visit(model="paper-like").selectbox]


def test_the_default_model_plays_as_a_link_says(home):
    link = {
        "genre": "Jazz", "bars": "2", "meter": "3/4", "tempo": "151", "kind": "Fill",
        "density": "Full", "loudness": "Soft", "feel": "0.5", "hits": "1.5", "dynamics": "2.0",
        "timing": "0.0", "seed": "7",
    }  # fmt: skip
    first, second = (visit(**link) for _ in range(2))
    assert not first.info
    (kept,) = takes(first)
    beat = kept.take.beat
    assert (beat.genre, beat.bars, str(beat.meter), beat.tempo_bpm) == ("jazz", 2, "3/4", 151)
    assert beat == takes(second)[0].take.beat
    asked = replay_request(beat.provenance)
    assert asked.feel == Feel("fill", 3, 1, hits=1.5, velocity=1.0, timing=0.0)
    shown = {key: kept.settings[key] for key in link}
    assert all(text == str(shown[key]) for key, text in link.items())
    words = text(first)
    for fact in ("3/4", "fill", "full", "soft", "1.5"):
        assert fact in words


def test_choosing_a_take_restores_its_feel(home):
    at = click(visit(bars="1", feel="0.3", kind="Fill", density="Dense"), "dj_go")
    first = takes(at)[-1]
    at.slider(key="feel").set_value(1.0)
    at.selectbox(key="density").set_value("Any").run()
    click(at, "dj_same")
    assert takes(at)[-1].take.beat != first.take.beat
    at.button_group(key="dj_on_deck").set_value(first.number).run()
    assert at.slider(key="feel").value == 0.3
    assert at.selectbox(key="density").value == "Dense"
    click(at, "dj_same")
    assert takes(at)[-1].take.beat == first.take.beat


def test_models_are_called_by_what_a_dj_reads(home):
    at = visit(bars="1", seed="7")
    names = at.selectbox(key="model").options
    assert {"Groove", "Notes", "Rhythm"} <= set(names)
    assert not {model.name for model in Library(home).models()} & set(names)
    assert "Groove (" in text(at)
    assert [model_label(name) for name in ("groove", "gone")] == ["Groove", "gone"]


def test_controls_belong_to_their_family_of_models(home):
    def keys(at):
        widgets = (*at.selectbox, *at.slider, *at.button_group)
        return {widget.key for widget in widgets}

    feel = {"meter", "kind", "density", "loudness", "feel", "hits", "dynamics", "timing"}
    notes = {"sampling", "length", "start", "rhythm"}
    at = visit(bars="1", feel="0.5")
    assert feel <= keys(at)
    assert not notes & keys(at)
    at.selectbox(key="model").set_value("Rhythm").run()
    assert not at.exception
    assert notes <= keys(at)
    assert not feel & keys(at)
    click(at, "dj_go")
    assert takes(at)[-1].take.beat.provenance.model == "notes-rhythm"


@pytest.mark.parametrize(
    "link",
    [
        {"tempo": "abc", "bars": "99999", "seed": "-1"},
        {"temperature": "nan", "model": "../../etc/passwd", "genre": "<b>", "start": "H9"},
        {"seed": "1e400", "length": "", "sampling": "zzz", "top_p": "inf", "rhythm": "odd"},
    ],
)
def test_a_link_nobody_can_follow_is_answered_with_one_calm_sentence(models, link):
    at = visit(**link)
    (said,) = [info.value for info in at.info]
    assert "settings that do not exist here" in said
    assert all(key.replace("_", " ") in said for key in link if link[key])
    click(at, "dj_go")


def test_without_a_model_the_page_says_so_and_still_plays(home, nothing_shipped):
    at = visit()
    assert "There is no model yet" in at.info[0].value
    assert at.button(key="dj_go").disabled
    assert on_deck(at)["beat"]["hits"]


def test_without_sound_everything_else_works(models, monkeypatch):
    from dj_core.errors import SoundError

    def refuse(*_, **__):
        raise SoundError("FluidSynth is not installed.")

    monkeypatch.setattr("dj_ui.deck.kit_payload", refuse)
    at = visit(model="with-genres", seed="20", bars="3", tempo="61")
    said = [json.loads(one.proto.json) for one in at.get("bidi_component") if one.proto.json]
    assert {"silence": "FluidSynth is not installed."} in said
    assert on_deck(at)["beat"]["bars"] == 3


def test_the_kit_of_a_link_is_on_the_deck_and_an_unknown_one_is_not(models):
    assert on_deck(visit(kit="tr-808"))["kit"] == "tr-808"
    at = visit(kit="../../etc")
    assert on_deck(at)["kit"] == GENRE["house"].kit
    (said,) = [info.value for info in at.info]
    assert "etc, which is not here. The usual kit of the style plays instead" in said


def test_the_kit_follows_the_style_until_the_visitor_chooses_one(models):
    at = visit(model="paper-like", seed="20")
    assert on_deck(at)["kit"] == DEFAULT_KIT  # this model knows no styles
    at = visit(model="with-genres", genre="House", seed="20")
    assert on_deck(at)["kit"] == GENRE["house"].kit != DEFAULT_KIT
    assert "kit" not in at.query_params
    at = visit(model="with-genres", genre="House", seed="20", kit="techno")
    assert on_deck(at)["kit"] == "techno"
    assert at.query_params["kit"] == "techno"
    click(at, "dj_go")
    assert on_deck(at)["kit"] == "techno"


# -- train ---------------------------------------------------------------------------------------


def test_train_without_runs_invites(home):
    assert "Nothing was trained here yet" in text(visit("train"))


def test_train_shows_a_finished_run_and_offers_to_play_it(models):
    at = visit("train")
    assert at.selectbox(key="run").options == ["paper-like", "with-genres"]
    assert "Validation loss" in text(at)
    at.button(key="dj_play").click().run()
    assert not at.exception
    assert at.session_state["model"] == at.selectbox(key="model").value


def test_train_refuses_names_in_words(models):
    at = visit("train")
    for name in ("", "../up", "paper-like", "x" * 200):
        at.text_input[0].set_value(name)
        click(at, "dj_start")
        assert len(at.warning) == 1, name


def test_train_needs_a_corpus(models):
    at = visit("train")
    at.multiselect(key="dj_corpora").set_value([])
    click(at, "dj_start")
    assert "at least one corpus" in at.warning[0].value


def test_train_offers_the_groove_model_first_and_says_how_long_it_takes(models):
    at = visit("train")
    assert at.selectbox(key="dj_preset").value == "groove"
    assert any("Takes about" in caption.value for caption in at.caption)
    epochs = at.number_input(key="dj_epochs_groove")
    assert epochs.value == presets()["groove"].epochs
    assert "dj_all_groove" not in [box.key for box in at.checkbox]
    at.selectbox(key="dj_preset").set_value("paper-2x32").run()
    assert not at.exception
    assert "dj_all_paper-2x32" in [box.key for box in at.checkbox]


def test_train_says_what_is_learned_beside_what_was_chosen(home, tmp_path):
    (tmp_path / "one.mid").write_bytes(midi_bytes(load_patterns()[0]))
    Library(home).import_corpus(tmp_path / "one.mid", "mine")
    at = visit("train")
    assert "dj_starter" not in [box.key for box in at.checkbox]  # it is what was chosen
    at.multiselect(key="dj_corpora").set_value(["mine"]).run()
    assert (
        at.checkbox(key="dj_starter").label == "Also the 278 starter patterns and our dance phrases"
    )
    assert any("47% mine, 7% starter, 47% phrases" in caption.value for caption in at.caption)
    at.checkbox(key="dj_starter").uncheck().run()
    assert not any("What it hears" in caption.value for caption in at.caption)
    assert not at.exception


def test_train_draws_the_form_of_every_preset(home):
    at = visit("train")
    offered = {name: one for name, one in presets().items() if family_of(one).load}
    assert len(at.selectbox(key="dj_preset").options) == len(offered)
    for preset, settings in offered.items():
        at.selectbox(key="dj_preset").set_value(preset).run()
        assert not at.exception
        assert at.number_input(key=f"dj_epochs_{preset}").value == settings.epochs


def test_a_groove_run_counts_in_sixteenths(home):
    settings = settings_from(
        "groove", corpora=["starter"], hidden=16, batch_size=1, epochs=1, learning_rate=0.01
    )
    steps = train_run(settings, [], home / "runs" / "beats", should_stop=lambda: True)
    assert len(list(steps)) == 1
    at = visit("train")
    assert "16ths guessed" in text(at)
    assert "stopped" in at.get("progress")[0].proto.text
    assert at.button(key="dj_resume")
