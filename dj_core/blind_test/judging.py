"""What the judgements of a blind test say: the share that is right, its interval and two tests.

Each judgement is right or wrong, and half of them are right by chance. The plain test asks whether
the share differs from one half (exact binomial test, two-sided). That it finds nothing proves
nothing; so a second test asks whether the share lies within 50 ± 10% (two one-sided exact binomial
tests: Schuirmann 1987, J. Pharmacokinet. Biopharm. 15). It would flatter the model to claim that
wrongly, so it is claimed at .01 and not at .05: of listeners who are right 60% of the time for less
than 1 of 100. Someone who always takes side A is right in half of the pairs, too: where the sides
are chosen unevenly, no equivalence is claimed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Side = Literal["A", "B"]
MARGIN = 0.1  # a share of 40 to 60% right counts as being unable to tell
SURE = 0.05
SURE_OF_EQUIVALENCE = 0.01  # at 200 judgements 97 to 103 right, at 400 184 to 216
ENOUGH = 400  # judgements, with which equivalence is claimed for 90 of 100 who guess
SURE_OF_A_SIDE = 0.01  # a listener who guesses is taken for one-sided once in a hundred
CURVE_WINDOW = 10


@dataclass(frozen=True)
class Judgement:
    """One answer to one pair.

    Attributes:
        listener: who judged.
        test: `BlindTest.name`, with the id of what it was drawn from.
        pair: counts from 1.
        genre, tempo_bpm: of both beats.
        human: the side that a person played or wrote.
        chosen: the side that was taken for it.
        heard_human, heard_model: for how many seconds each was heard.
        origin: where the person's beat comes from.
        seed: of the model's take.
        at: seconds since 1970.
    """

    listener: str
    test: str
    pair: int
    genre: str
    tempo_bpm: float
    human: Side
    chosen: Side
    heard_human: float = 0.0
    heard_model: float = 0.0
    origin: str = ""
    seed: int = 0
    at: float = 0.0

    @property
    def right(self) -> bool:
        """The person's beat was found."""
        return self.chosen == self.human

    @property
    def heard(self) -> float:
        """For how many seconds the pair was heard."""
        return self.heard_human + self.heard_model


@dataclass(frozen=True)
class Tally:
    """Judgements, counted.

    Attributes:
        judged: how many, at least 1.
        right: how many of them found the person's beat.
        chose_a: how many chose side A.
    """

    judged: int
    right: int
    chose_a: int

    @classmethod
    def of(cls, judgements: Iterable[Judgement]) -> Tally:
        """The judgements, counted."""
        given = list(judgements)
        chose_a = sum(one.chosen == "A" for one in given)
        return cls(len(given), sum(one.right for one in given), chose_a)

    @property
    def share(self) -> float:
        """The share that is right."""
        return self.right / self.judged

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The share's 95% interval (Wilson 1927, without continuity correction)."""
        from scipy.stats import binomtest

        found = binomtest(self.right, self.judged).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)

    @cached_property
    def p_chance(self) -> float:
        """How often guessing is at least as far from one half: the plain test, two-sided."""
        from scipy.stats import binomtest

        return float(binomtest(self.right, self.judged, 0.5).pvalue)

    @cached_property
    def p_apart(self) -> float:
        """The test of equivalence: small where the share lies within 50 ± 10%."""
        from scipy.stats import binomtest

        above = binomtest(self.right, self.judged, 0.5 - MARGIN, "greater").pvalue
        below = binomtest(self.right, self.judged, 0.5 + MARGIN, "less").pvalue
        return float(max(above, below))

    @cached_property
    def p_side(self) -> float:
        """How often someone without a preferred side chooses one of them as unevenly."""
        from scipy.stats import binomtest

        return float(binomtest(self.chose_a, self.judged, 0.5).pvalue)

    @property
    def one_sided(self) -> bool:
        """One side was chosen more often than chance explains, whatever it played."""
        return self.p_side < SURE_OF_A_SIDE

    @property
    def equivalent(self) -> bool:
        """The two cannot be told apart, within the margin."""
        return self.p_apart < SURE_OF_EQUIVALENCE and not self.one_sided

    @property
    def words(self) -> str:
        """What is known now, in a sentence."""
        if self.one_sided:
            side, times = ("A", self.chose_a) if self.chose_a * 2 > self.judged else (
                "B", self.judged - self.chose_a)  # fmt: skip
            return (
                f"{side} was chosen {times} times of {self.judged}, whatever it played: "
                "this says more about the side than about the beats."
            )
        if self.p_chance < SURE and self.share > 0.5:
            slight = " The difference is slight." if self.equivalent else ""
            return f"The difference is heard.{slight}"
        if self.p_chance < SURE:
            return "A difference is heard, and taken the wrong way round."
        if self.equivalent:
            return "They cannot be told apart: the share is 40 to 60%, at an error of 1 in 100."
        enough = f" It takes about {ENOUGH} to show that they cannot be told apart."
        return "Not decided: more judgements are needed." + enough * (self.judged < ENOUGH)


def tallies(judgements: Iterable[Judgement], by: Callable[[Judgement], str]) -> dict[str, Tally]:
    """The judgements counted by style, listener or what else `by` says; most judgements first."""
    groups = defaultdict(list)
    for one in judgements:
        groups[by(one)].append(one)
    return {
        name: Tally.of(groups[name])
        for name in sorted(groups, key=lambda name: (-len(groups[name]), name))
    }


def learning_curve(judgements: Sequence[Judgement]) -> list[tuple[int, float]]:
    """The share right of the last ten judgements, from the tenth on, in the order given."""
    rights = [one.right for one in judgements]
    ends = range(CURVE_WINDOW, len(rights) + 1)
    return [(end, sum(rights[end - CURVE_WINDOW : end]) / CURVE_WINDOW) for end in ends]
