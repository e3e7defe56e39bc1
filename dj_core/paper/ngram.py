"""The Witten-Bell n-gram over the paper's strings: the baseline for every network.

The probability of a word after a context is mixed from that context's own counts and the
prediction of the context that is one word shorter:

    P(w | c) = (count(c, w) + distinct(c) * P(w | shorter c)) / (count(c) + distinct(c))

where ``distinct(c)`` is how many different words were seen after the context: one that was followed
by ever new words trusts the shorter one more (Witten and Bell 1991, method C, interpolated). Below
the empty context every word of the vocabulary is as likely as any other, so that nothing is
impossible and the probabilities of all words add up to one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from dj_core.errors import TrainingError

MAX_ORDER = 12


class NoteNGram:
    """An n-gram over ids, counted once and then only asked.

    Raises:
        TrainingError: an order outside 1 to 12, or a vocabulary of nothing.
    """

    def __init__(self, songs: Iterable[Sequence[int]], order: int, vocabulary_size: int) -> None:
        """Count every place of every song.

        Args:
            songs: ids from 0 up to `vocabulary_size`, song by song; contexts end at their starts.
            order: words per gram: 1 knows frequencies only, 2 the word before, and so on.
            vocabulary_size: how many words share the probability of the never seen.
        """
        if type(order) is not int or not 1 <= order <= MAX_ORDER:
            raise TrainingError(f"An n-gram's order is 1 to {MAX_ORDER}; got {order!r}.")
        if vocabulary_size < 1:
            raise TrainingError(f"A vocabulary has at least one word; got {vocabulary_size}.")
        self.order, self.vocabulary_size = order, vocabulary_size
        self._followers: list[dict[tuple[int, ...], Counter[int]]] = [{} for _ in range(order)]
        for song in songs:
            for place, word in enumerate(song):
                for length in range(min(order, place + 1)):
                    context = tuple(song[place - length : place])
                    self._followers[length].setdefault(context, Counter())[word] += 1
        self._totals = [
            {context: seen.total() for context, seen in followers.items()}
            for followers in self._followers
        ]

    @property
    def counts(self) -> int:
        """Numbers it keeps, to be read beside a network's number of weights."""
        return sum(len(seen) for table in self._followers for seen in table.values())

    def probability(self, word: int, before: Sequence[int]) -> float:
        """Probability of `word` after the words `before`, over 0 to 1."""
        probability = 1 / self.vocabulary_size
        for length in range(min(self.order, len(before) + 1)):
            context = tuple(before[len(before) - length :])
            seen = self._followers[length].get(context)
            if seen is None:  # nor was any longer one
                break
            distinct = len(seen)
            total = self._totals[length][context]
            probability = (seen.get(word, 0) + distinct * probability) / (total + distinct)
        return probability

    def losses(self, song: Sequence[int]) -> list[float]:
        """Nats that each word of a song costs, given those before it."""
        reach = self.order - 1
        return [
            -math.log(self.probability(word, song[max(0, place - reach) : place]))
            for place, word in enumerate(song)
        ]

    def distribution(self, before: Sequence[int]) -> np.ndarray:
        """Probability of every word after `before`, (vocabulary,), adding up to one."""
        chances = np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        for length in range(min(self.order, len(before) + 1)):
            context = tuple(before[len(before) - length :])
            seen = self._followers[length].get(context)
            if seen is None:
                break
            chances *= len(seen)
            chances[np.fromiter(seen, int)] += np.fromiter(seen.values(), float)
            chances /= self._totals[length][context] + len(seen)
        return chances

    def generate(
        self, start: Sequence[int], count: int, temperature: float, seed: int
    ) -> list[int]:
        """`count` words that begin with `start`; temperature 0 always takes the likeliest."""
        random = np.random.default_rng(seed)
        words = list(start)
        while len(words) < count:
            chances = self.distribution(words[-(self.order - 1) :] if self.order > 1 else [])
            if temperature == 0:
                words.append(int(chances.argmax()))
                continue
            shaped = chances ** (1 / temperature)
            words.append(int(random.choice(self.vocabulary_size, p=shaped / shaped.sum())))
        return words[:count]
