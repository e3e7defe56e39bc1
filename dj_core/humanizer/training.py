"""Training a humaniser: seeded, resumable to the bit, the best model by validation kept."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

from dj_core.corpus import Corpus
from dj_core.errors import TrainingError
from dj_core.humanizer.checkpoint import HumanizerFacts, save_humanizer
from dj_core.humanizer.material import (
    Alphabet,
    Batch,
    Performance,
    Stretches,
    folded,
    genres_of,
    performances,
    stacked,
)
from dj_core.humanizer.network import HumanizerSettings, build_network, nats_of
from dj_core.networks import cpu_threads
from dj_core.storage import write_bytes_atomic, write_json_atomic

STATE_NAME, SETTINGS_NAME, MODEL_NAME = "state.pt", "settings.json", "model"
WARM_UP_STEPS = 50
VALIDATION_BARS = 2  # as in the measurements
VALIDATION_STREAMS = 128


@dataclass(frozen=True)
class HumanizerTraining:
    """Everything that decides what a humaniser learns.

    Attributes:
        encoder, player, units, dropout: see `network.HumanizerSettings`.
        learning_rate: AdamW's, at its highest; it falls on half a cosine over all steps.
        weight_decay: decoupled.
        steps: optimiser steps.
        validate_every: steps between validations.
        seed: decides the first weights, the stretches and the dropout.
        threads: CPU threads; another number gives slightly other weights.

    Raises:
        TrainingError: a value out of range.
    """

    encoder: int = 112
    player: int = 160
    units: int = 128
    dropout: float = 0.25
    learning_rate: float = 0.003
    weight_decay: float = 0.02
    steps: int = 1_800
    validate_every: int = 100
    seed: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "validate_every", "threads"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise TrainingError(f"{name} is a whole number from 1 on; got {value!r}.")
        for name in ("learning_rate", "weight_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise TrainingError(f"{name} is 0 to 1; got {getattr(self, name)!r}.")


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a validation.

    Attributes:
        step, steps: done, and in all.
        train, validation: nats a hit: on average and as played, velocity and offset each.
        best: whether this is the best model so far.
        seconds: since the run began.
    """

    step: int
    steps: int
    train: tuple[float, ...]
    validation: tuple[float, ...]
    best: bool
    seconds: float


def train_humanizer(
    settings: HumanizerTraining, corpus: Corpus, folder: Path, *, resume: bool = False
) -> Iterator[Progress]:
    """Learn from the training split of `corpus`; the best model is in ``folder/model``.

    Args:
        settings: the recipe.
        corpus: played performances; its test split is never looked at.
        folder: made if need be.
        resume: go on where the run in `folder` was left; ends with the same weights.

    Raises:
        TrainingError: a folder already used, nothing to resume, or nothing to learn from.
        LibraryError: the folder cannot be written.
    """
    known = folder / SETTINGS_NAME
    if resume != known.exists():
        raise TrainingError(
            f"{folder} holds {'no run to resume' if resume else 'a run already'}. "
            + ("Start one." if resume else "Resume it, or choose another folder.")
        )
    if resume and json.loads(known.read_text("utf-8")) != asdict(settings):
        raise TrainingError(f"The run in {folder} was started with other settings. Use its own.")
    run = _Run(settings, corpus, folder)
    if resume:
        run.load()
    else:
        write_json_atomic(known, asdict(settings))
    with cpu_threads(settings.threads):
        yield from run.go()


class _Run:
    """A run under way."""

    def __init__(self, settings: HumanizerTraining, corpus: Corpus, folder: Path) -> None:
        self.settings, self.folder, self.corpus = settings, folder, corpus
        train = performances(corpus, "train")
        genres = genres_of(train)
        self.validation = tuple(_windows(performances(corpus, "validation"), genres))
        files = (file for file in corpus.files if file.split == "train")
        self.alphabet = Alphabet.of(corpus.beat(file) for file in files)
        self.generator = np.random.default_rng(settings.seed)
        self.stretches = Stretches(train, genres, self.generator)
        shape = HumanizerSettings(
            genres, settings.encoder, settings.player, settings.units, settings.dropout
        )
        self.network = build_network(shape, settings.seed)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.done, self.best, self.seconds_before = 0, math.inf, 0.0
        self.tally = np.zeros(5)
        self._started = time.perf_counter()

    def go(self) -> Iterator[Progress]:
        """Train to the end."""
        while self.done < self.settings.steps:
            self._learn()
            if self.done % self.settings.validate_every == 0 or self.done == self.settings.steps:
                yield self._validate()

    def _learn(self) -> None:
        settings = self.settings
        share = self.done / settings.steps
        rate = settings.learning_rate * min(1.0, (self.done + 1) / WARM_UP_STEPS)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * (0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2)
        batch = self.stretches.next_batch()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed * 1_000_003 + self.done)
            self.network.train()
            average, played, hits = nats_of(self.network, batch, self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        ((average.sum() + played.sum()) / hits).backward()
        clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.tally += (*average.tolist(), *played.tolist(), hits)
        self.done += 1

    def _validate(self) -> Progress:
        sums = np.zeros(5)
        self.network.eval()
        with torch.inference_mode():
            for batch in self.validation:
                average, played, hits = nats_of(self.network, batch)
                sums += (*average.tolist(), *played.tolist(), hits)
        train, validation = (tuple((s[:4] / s[4]).tolist()) for s in (self.tally, sums))
        self.tally = np.zeros(5)
        best = sum(validation) < self.best
        seconds = self.seconds_before + time.perf_counter() - self._started
        if best:
            self.best = sum(validation)
            facts = HumanizerFacts(
                corpora=(self.corpus.name,),
                settings=asdict(self.settings),
                results={"step": self.done, "train": train, "validation": validation},
            )
            save_humanizer(self.folder / MODEL_NAME, self.network, self.alphabet, facts)
        self._save(seconds)
        return Progress(self.done, self.settings.steps, train, validation, best, seconds)

    def _save(self, seconds: float) -> None:
        buffer = BytesIO()
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.bit_generator.state,
            "done": self.done,
            "best": self.best,
            "seconds": seconds,
        }
        torch.save(state, buffer)
        write_bytes_atomic(self.folder / STATE_NAME, buffer.getvalue())

    def load(self) -> None:
        """Go to where the run was left. Raises TrainingError."""
        from pickle import UnpicklingError

        try:
            state = torch.load(self.folder / STATE_NAME, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.generator.bit_generator.state = state["generator"]
            self.done, self.best = state["done"], state["best"]
            self.seconds_before = state["seconds"]
        except (OSError, KeyError, ValueError, RuntimeError, UnpicklingError) as error:
            raise TrainingError(
                f"{STATE_NAME} in {self.folder} cannot be used ({error}). Start another run."
            ) from error


def _windows(material: tuple[Performance, ...], genres: tuple[str, ...]) -> Iterator[Batch]:
    """Windows of two bars end to end, drums folded, as the measurements hear them."""
    found = []
    for item in material:
        grid, bar = folded(item.grid), item.bar_steps
        for first in range(0, max(item.bars - VALIDATION_BARS, 0) + 1, VALIDATION_BARS):
            rows = slice(first * bar, (first + VALIDATION_BARS) * bar)
            if grid.velocity[rows].any():
                found.append((grid.velocity[rows], grid.offset[rows], item))
    for first in count(0, VALIDATION_STREAMS):
        some = found[first : first + VALIDATION_STREAMS]
        if not some:
            return
        items = [item for *_, item in some]
        known = [item.genre if item.genre in genres else "" for item in items]
        yield Batch(
            *stacked([(velocity, offset) for velocity, offset, _ in some]),
            meter=np.array([item.meter for item in items]),
            genre=np.array([genres.index(name) for name in known]),
            tempo_bpm=np.array([item.tempo_bpm for item in items]),
            bar_steps=np.array([item.bar_steps for item in items]),
        )


def read_training(folder: Path, **changed: int) -> HumanizerTraining:
    """The settings of the run in `folder`. Raises TrainingError."""
    try:
        settings = HumanizerTraining(**json.loads((folder / SETTINGS_NAME).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"There is no run in {folder} to go on with ({error}).") from error
    return replace(settings, **changed)
