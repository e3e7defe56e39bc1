"""Train: choose corpora and a preset, follow the training, hear takes of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from dj_core.errors import DigitalDJError
from dj_core.files.file_names import checked_name
from dj_core.files.midi import read_midi
from dj_core.library.library import STARTER_CORPUS, Library
from dj_core.library.training_jobs import (
    Run,
    read_run,
    resume_training,
    start_training,
    stop_training,
)
from dj_core.models.families import (
    Tunable,
    expected_seconds,
    family_of,
    presets,
    settings_from,
    tunables,
)
from dj_core.models.run_folder import TrainingStep
from dj_core.music.beat import Beat
from dj_ui.charts import curve_chart
from dj_ui.frame import open_page, run_page
from dj_ui.player import player
from dj_ui.readouts import show_readouts
from dj_ui.visiting import take_allowance
from dj_ui.words import about_long, duration_words, preset_label, spoken, state_words

RESUMABLE = ("stopped", "failed", "died")
EVERY_SECOND = "1s"
SHOWN, COMPARED = "run", "dj_compared"


def main() -> None:
    """The page, top to bottom."""
    open_page("Train")
    library = Library.open()
    side, view = st.columns([1, 2.2], gap="large")
    with side, st.container(key="dj_side"):
        draw_new_run(library)
    with view:
        runs = library.runs()
        if not runs:
            st.html(
                '<p class="dj-invite">Nothing was trained here yet. Choose what to learn from and '
                "press <b>Start training</b>: it goes on when you close this page.</p>"
            )
            return
        run = choose_run(runs)
        follow(library, run)
        draw_comparison(runs)


# -- a new run -----------------------------------------------------------------------------------


def draw_new_run(library: Library) -> None:
    """The form for a run and its start button."""
    st.html('<h2 class="dj-head">New run</h2>')
    known = library.corpora()
    corpora = {corpus.name: len(corpus.index) for corpus in known}
    heard = {corpus.name for corpus in known if corpus.transcribed}
    chosen = st.multiselect(
        "Learn from",
        list(corpora),
        list(corpora)[:1],
        format_func=lambda name: (
            f"{name} · {corpora[name]:,} beats{' · from sound' if name in heard else ''}"
        ),
        key="dj_corpora",
        persist_state="session",
    )
    preset = st.selectbox(
        "Model",
        offered_presets(),
        format_func=preset_label,
        key="dj_preset",
        persist_state="session",
    )
    taken = {run.name for run in library.runs()}
    name = st.text_input("Name", free_name(preset, taken), key=f"dj_name_{preset}_{len(taken)}")
    with st.expander("Fine tuning"):
        overrides = choose_overrides(preset)
        all_data = family_of(presets()[preset]).can_use_all_data and st.checkbox(
            "Learn from every beat",
            key=f"dj_all_{preset}",
            help="Keeps none back to validate on, as the paper did for its final songs.",
        )
    starter = choose_starter(preset, chosen, corpora)
    tell_duration(preset, overrides, sum(corpora[name] for name in chosen))
    if st.button("Start training", type="primary", key="dj_start", width="stretch"):
        try:
            run = checked_name(name)
            take_allowance("train")
            start_training(
                library.home,
                run,
                corpora=chosen,
                preset=preset,
                all_data=all_data,
                starter=starter,
                **overrides,
            )
        except DigitalDJError as error:
            st.warning(spoken(error))
            return
        st.session_state[SHOWN] = run
        st.rerun()


def offered_presets() -> list[str]:
    """Presets of models that play beats, in the order in which to offer them."""
    return [name for name, settings in presets().items() if family_of(settings).load]


def free_name(preset: str, taken: set[str]) -> str:
    """A name for a run that no run has."""
    numbers = range(1, len(taken) + 2)
    return next(name for number in numbers if (name := f"{preset}-{number}") not in taken)


def choose_starter(preset: str, chosen: Sequence[str], corpora: Mapping[str, int]) -> bool:
    """Whether the starter patterns are learned, too; and how much of what is heard is whose."""
    settings = presets()[preset]
    weights_of = family_of(settings).weights
    if weights_of is None:
        return True  # of no consequence: they are learned where they are chosen
    also = STARTER_CORPUS in chosen or st.checkbox(
        f"Also the {corpora[STARTER_CORPUS]:,} starter patterns and our dance phrases",
        True,
        key="dj_starter",
        persist_state="session",
        help="Patterns of many genres that come with the app. They keep a model that learns from "
        "a few beats from knowing nothing else.",
    )
    weights = weights_of(replace(settings, starter=also), chosen)
    if len(weights) > 1:
        parts = [f"{weight / sum(weights.values()):.0%} {name}" for name, weight in weights.items()]
        st.caption(f"What it hears while it learns: {', '.join(parts)}.")
    return also


def tell_duration(preset: str, overrides: dict[str, Any], beats: int) -> None:
    """Say how long it will take, where that was measured."""
    try:
        settings = settings_from(preset, corpora=(), **overrides)
    except DigitalDJError:
        return  # said when the run is started
    seconds = expected_seconds(settings, beats)
    if seconds:
        st.caption(f"Takes {about_long(seconds)} on an ordinary laptop; you can stop at any time.")


LABELS: dict[str, str] = {
    "epochs": "Epochs",
    "learning_rate": "Learning rate",
    "batch_size": "Beats per step",
    "hidden": "Nodes per layer",
    "layers": "Layers",
    "dropout": "Dropout",
    "seed": "Seed",
}
HIGHEST = {"epochs": 500, "batch_size": 256, "hidden": 512, "layers": 4, "learning_rate": 0.1}
"""Bounds that a laptop survives, where a preset knows no lower ones."""
STEPS = {"learning_rate": (0.0005, "%.4f"), "dropout": (0.05, "%.2f")}


def choose_overrides(preset: str) -> dict[str, Any]:
    """The settings that differ from the preset's; None for those that do not."""
    usual = tunables(preset)
    chosen = {name: setting(preset, name, one) for name, one in usual.items()}
    return {name: None if chosen[name] == usual[name].usual else chosen[name] for name in usual}


def setting(preset: str, name: str, tunable: Tunable) -> float:
    """A number, within bounds."""
    low, high = tunable.low, min(tunable.high, max(HIGHEST.get(name, tunable.high), tunable.usual))
    step, format_ = STEPS.get(name, (1, None))
    kind = type(step)
    if name == "learning_rate":
        low = max(low, step / 5)
    return st.number_input(
        LABELS[name],
        kind(low),
        kind(high),
        kind(tunable.usual),
        step,
        format=format_,
        key=f"dj_{name}_{preset}",
    )


# -- one run, live -------------------------------------------------------------------------------


def choose_run(runs: Sequence[Run]) -> Run:
    """The run to look at; the newest unless another was chosen."""
    named = {run.name: run for run in runs}
    if st.session_state.get(SHOWN) not in (None, *named):
        del st.session_state[SHOWN]
    return named[st.selectbox("Run", list(named), key=SHOWN, persist_state="session")]


def follow(library: Library, run: Run) -> None:
    """Show a run, drawn anew every second while it trains."""
    running = run.state == "running"
    live = st.fragment(draw_run, run_every=EVERY_SECOND if running else None)
    live(library, run.folder, running)
    draw_takes(run)


def draw_run(library: Library, folder: Path, was_running: bool) -> None:
    """Where a run stands: progress, figures, curves, and what can be done."""
    try:
        run = read_run(folder)
    except DigitalDJError as error:
        st.warning(spoken(error))
        return
    if was_running and run.state != "running":
        st.rerun()  # the whole page: nothing is to be watched any more
    step = run.last_step
    st.progress(share_done(run), progress_words(run))
    if run.state in ("failed", "died"):
        st.warning(spoken(run.message or "Its process ended without a word."))
    elif run.message:
        st.info(spoken(run.message))
    draw_actions(library, run)
    if step:
        draw_figures(run, step)
    draw_curves(run)


def share_done(run: Run) -> float:
    """How much of a run's time is over, 0 to 1."""
    step = run.last_step
    if run.state == "finished":
        return 1.0
    if not step or step.seconds_left is None:
        return 0.0
    return min(1.0, step.seconds / max(step.seconds + step.seconds_left, 1e-9))


def progress_words(run: Run) -> str:
    """The line above the progress bar: the stage, and how long it still takes or took."""
    step = run.last_step
    if run.state == "running" and (not step or run.starting):
        return "Preparing: reading the beats…"
    if not step:
        return state_words(run).capitalize()
    if run.state != "running":
        words = f"{state_words(run)} after {duration_words(step.seconds)}"
        return f"Epoch {step.epoch} of {step.epochs} · {words}"
    stage = f"{step.stage.capitalize()}, epoch {step.epoch} of {step.epochs}"
    if step.stage != "training":
        stage = f"It has learned and is {step.stage}"
    left = "" if step.seconds_left is None else f" · {duration_words(step.seconds_left)} left"
    return stage + left


def draw_actions(library: Library, run: Run) -> None:
    """Stop, resume, or play what was learned."""
    model = next((model for model in library.models() if model.name == run.name), None)
    with st.container(horizontal=True):
        if run.state == "running" and st.button("Stop", key="dj_stop"):
            act(lambda: stop_training(run.folder), "It stops after the step it is in.")
        if run.state in RESUMABLE and run.settings and st.button("Resume", key="dj_resume"):
            act(lambda: resume_training(library.home, run.name), "")
            st.rerun()
        play = model and st.button("Play this model", key="dj_play")
    if play:
        st.session_state["model"] = model.label
        st.switch_page("pages/generate.py")


def act(action: Any, done: str) -> None:  # noqa: ANN401 - any call without arguments
    """Do something to a run and say how it went."""
    try:
        action()
    except DigitalDJError as error:
        st.warning(spoken(error))
        st.stop()
    if done:
        st.info(done)


def draw_figures(run: Run, step: TrainingStep) -> None:
    """The numbers of a run."""
    unit = f"{family_of(run.settings).unit.capitalize()}s" if run.settings else "Notes"
    checked = [past for past in run.epoch_steps if past.validation_loss is not None]
    best = min(checked, key=lambda past: past.validation_loss or 0.0, default=None)
    show_readouts(
        {
            "Training loss": f"{step.train_loss:.3f}",
            "Validation loss": f"{checked[-1].validation_loss:.3f}" if checked else "—",
            "Best epoch": f"{best.epoch}" if best else "—",
            f"{unit} guessed": f"{step.train_accuracy:.0%}",
            "In validation": f"{checked[-1].validation_accuracy:.0%}" if checked else "—",
            f"{unit} a second": f"{step.notes_per_second:,.0f}",
        }
    )
    st.caption(
        "Loss is how surprised the model is by what a drummer plays next, in nats: less is better. "
        "Validation is on beats it does not learn from; the best epoch is kept."
    )


def draw_curves(run: Run) -> None:
    """Training and validation loss by epoch."""
    steps = run.epoch_steps
    if not steps:
        return
    curves = {"training": [(step.epoch, step.train_loss) for step in steps]}
    if validated(run):
        curves["validation"] = validated(run)
    curve_chart(curves, key=f"dj_curves_{run.name}")


# -- what it played ------------------------------------------------------------------------------


def draw_takes(run: Run) -> None:
    """Takes from one fixed seed, kept as it learned."""
    if not run.takes:
        return
    takes = {path.stem.removeprefix("epoch-").lstrip("0") or "0": path for path in run.takes}
    st.html('<h2 class="dj-head">Hear it learn</h2>')
    epoch = st.pills("After epoch", list(takes), key=f"dj_epoch_{run.name}")
    if epoch:
        try:
            modified_ns = takes[epoch].stat().st_mtime_ns
            beat = take_of(takes[epoch], modified_ns)
        except (DigitalDJError, FileNotFoundError) as error:
            st.warning(spoken(error))
            return
        slot = f"{run.name}-{epoch}-{modified_ns}"
        name = f"{run.name} · epoch {epoch}"
        player(beat, key="dj_lesson", slot=slot, name=name, play=slot)


@st.cache_data(max_entries=64, show_spinner=False)
def take_of(path: Path, modified_ns: int) -> Beat:
    """A take of a run; keyed by its time too, for a run that starts again writes it again."""
    return read_midi(path)


# -- side by side --------------------------------------------------------------------------------


def draw_comparison(runs: Sequence[Run]) -> None:
    """Validation losses of several runs in one chart."""
    named = {run.name: run for run in runs if validated(run)}
    if len(named) < 2:
        return
    st.html('<h2 class="dj-head">Side by side</h2>')
    stale = [name for name in st.session_state.get(COMPARED, []) if name not in named]
    if stale:
        del st.session_state[COMPARED]
    chosen = st.multiselect(
        "Validation loss of", list(named), list(named)[:3], key=COMPARED, max_selections=6,
        persist_state="session",
    )  # fmt: skip
    if chosen:
        curve_chart({name: validated(named[name]) for name in chosen}, key="dj_comparison")


def validated(run: Run) -> list[tuple[int, float]]:
    """Validation loss by epoch, for the epochs that have one."""
    return [
        (step.epoch, step.validation_loss)
        for step in run.epoch_steps
        if step.validation_loss is not None
    ]


run_page(main)
