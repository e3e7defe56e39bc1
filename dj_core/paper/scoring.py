"""The common metric: nats per note of held-out songs, over the paper's strings.

Whatever a model's words are, its loss is that of the *names* (notes, chords and rests as music21
spells them), each given all that came before it, over the one vocabulary of the corpus. Words that
are no names (primes, times, ends) are read but not counted, and a model's probability is taken
over the names alone: no system has to guess whether the song ends. The first name of a song is not
counted either, because the paper's networks have nothing to guess it from.

A song is measured in two ways: *once* through, where no note was heard before; and *looped*, as
the paper extends it, to the length of the corpus's longest song.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from dj_core.corpus.note_strings import NoteSong
from dj_core.models.notes.note_tokenizer import (
    NotesTokenizer,
    extend_cyclically,
    prime_words,
    song_words,
)
from dj_core.models.threads import cpu_threads
from dj_core.paper.ngram import NoteNGram

if TYPE_CHECKING:
    from torch import nn

SONGS_AT_ONCE = 32
RESAMPLES = 2_000
RESAMPLING_SEED = 1


@dataclass(frozen=True)
class SongScore:
    """What the names of one song cost.

    Attributes:
        loss: nats, summed.
        right: names that were given the highest score.
        notes: names counted.
    """

    loss: float
    right: int
    notes: int


@dataclass(frozen=True)
class NoteScore:
    """What held-out songs cost.

    Attributes:
        loss: nats per note.
        accuracy: share of next notes that were given the highest score, 0 to 1.
        notes: notes counted.
        low, high: 95% bounds of the loss, by drawing the songs again.
    """

    loss: float
    accuracy: float
    notes: int
    low: float
    high: float

    @classmethod
    def of(cls, songs: Sequence[SongScore]) -> NoteScore:
        """Sum up; longer songs weigh more."""
        losses = np.array([song.loss for song in songs])
        notes = np.array([song.notes for song in songs])
        random = np.random.default_rng(RESAMPLING_SEED)
        drawn = random.integers(len(songs), size=(RESAMPLES, len(songs)))
        resampled = losses[drawn].sum(1) / np.maximum(notes[drawn].sum(1), 1)
        low, high = np.quantile(resampled, (0.025, 0.975))
        total = max(int(notes.sum()), 1)
        right = sum(song.right for song in songs)
        return cls(float(losses.sum()) / total, right / total, total, float(low), float(high))


def longest_song(songs: Sequence[NoteSong]) -> int:
    """Notes of the longest song, to which the paper extends all others."""
    return max(len(song.events) for song in songs)


def measured_words(song: NoteSong, tokenizer: NotesTokenizer, looped_to: int | None) -> list[str]:
    """The song's words as it is measured: primes, then its names (and times), without an end.

    Args:
        looped_to: names to extend the song to cyclically; None for once through.
    """
    settings = tokenizer.settings
    primes = prime_words(song.genre, song.kind, song.bar_quarters, settings)
    per_name = 2 if settings.times else 1
    body = song_words(song, settings)[len(primes) :][: len(song.events) * per_name]
    if looped_to is not None:
        body = extend_cyclically(body, looped_to * per_name)
    return [*primes, *body]


def score_network(
    network: nn.Module,
    tokenizer: NotesTokenizer,
    songs: Sequence[NoteSong],
    looped_to: int | None = None,
    temperature: float = 1.0,
) -> list[SongScore]:
    """What every song costs a network, in the songs' order.

    Args:
        network: in evaluation mode; its tokenizer writes names, with or without times and primes.
        looped_to: see `measured_words`.
        temperature: over 0; the network's odds are flattened by it first, as when it plays.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    names = torch.tensor([bool(word.name) for word in tokenizer.words])
    ids = [tokenizer.encode(measured_words(song, tokenizer, looped_to)) for song in songs]
    order = sorted(range(len(songs)), key=lambda index: len(ids[index]))
    scores: dict[int, SongScore] = {}
    with torch.inference_mode(), cpu_threads(1):
        for start in range(0, len(order), SONGS_AT_ONCE):
            batch = order[start : start + SONGS_AT_ONCE]
            parts = [torch.tensor(ids[index]) for index in batch]
            logits, _ = network(pad_sequence(parts, batch_first=True)[:, :-1])
            odds = (logits.masked_fill(~names, -torch.inf) / temperature).log_softmax(-1)
            guesses = odds.argmax(-1)
            for row, (index, song) in enumerate(zip(batch, parts, strict=True)):
                # names are counted, but for the first
                places = (names[song[1:]] & (names[song].cumsum(0)[1:] > 1)).nonzero()[:, 0]
                chosen = song[1:][places]
                loss = -odds[row, places, chosen].double().sum()
                right = (guesses[row, places] == chosen).sum()
                scores[index] = SongScore(float(loss), int(right), len(places))
    return [scores[index] for index in range(len(songs))]


def score_ngram(ngram: NoteNGram, songs: Iterable[Sequence[int]]) -> list[SongScore]:
    """What every song (ids of names) costs an n-gram."""

    @cache  # a loop comes by the same contexts again
    def guess(context: tuple[int, ...]) -> int:
        return int(ngram.distribution(context).argmax())

    scores = []
    for song in songs:
        losses = ngram.losses(song)[1:]
        right = sum(
            guess(tuple(song[max(0, place - ngram.order + 1) : place])) == song[place]
            for place in range(1, len(song))
        )
        scores.append(SongScore(math.fsum(losses), right, len(losses)))
    return scores


def authors_accuracy(
    network: nn.Module, tokenizer: NotesTokenizer, songs: Sequence[NoteSong], looped_to: int
) -> float:
    """Accuracy as the authors' public code computes it, 0 to 1.

    It feeds the network the *targets* and compares what comes out, place by place, with those same
    targets: a network is right where it answers a note with the same note.
    """
    import torch

    right = notes = 0
    with torch.inference_mode(), cpu_threads(1):
        for start in range(0, len(songs), SONGS_AT_ONCE):
            batch = songs[start : start + SONGS_AT_ONCE]
            ids = [tokenizer.encode(measured_words(song, tokenizer, looped_to)) for song in batch]
            targets = torch.tensor(ids)[:, 1:]
            logits, _ = network(targets)
            right += int((logits.argmax(-1) == targets).sum())
            notes += targets.numel()
    return right / max(notes, 1)
