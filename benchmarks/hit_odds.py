"""The groove network's odds for the nine classes of hits, cell by cell, as `likelihood` needs them.

`likelihood` sums a 16th's ways of sounding at once. Here the same network is asked differently:
16th by 16th, and within a 16th class by class, with the lanes that may have made the classes so
far weighed by their odds (the forward pass of a hidden Markov chain). Both must come to the same
bits; a test holds them to it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dj_core.errors import BeatError
from dj_core.models.groove.groove_likelihood import (
    CLASSES,
    WINDOW_STEPS,
    Carried,
    ClipTensors,
    remember,
)
from dj_core.models.groove.groove_network import GrooveNetwork
from dj_core.models.groove.groove_shape import CONTENT, LAGS
from dj_core.models.groove.streams import Scale, Window, whole_clips
from dj_core.models.groove.style_vector import StyleSums
from dj_core.models.groove.training_clips import ClipSet
from dj_core.music.drums import LANE
from dj_core.music.step_grid import LANES

_LANES_OF_CLASS = tuple(tuple(LANE[name] for name in names) for names in CLASSES)


def folded(velocity: np.ndarray) -> np.ndarray:
    """Hits of the nine classes, bool (steps, 9), of a grid's `velocity`."""
    return np.stack([(velocity[:, list(lanes)] > 0).any(1) for lanes in _LANES_OF_CLASS], axis=1)


class HitOdds:
    """A `metrics.likelihood.HitModel` of known performances.

    The network reads all of a performance: velocities, timing, sixteen lanes. Asked about hits it
    finds the performance they belong to, and answers from all that came before each 16th. It is
    told genre, tempo, meter and kind, and no style.
    """

    def __init__(self, network: GrooveNetwork, scale: Scale, clips: ClipSet) -> None:
        """Remember `clips`; two of the same hits answer for each other in turn."""
        self.network, self.scale, self.clips = network.eval(), scale, clips
        self._waiting: dict[bytes, list[int]] = {}
        for index, clip in enumerate(clips.clips):
            key = folded(clip.grid.velocity).tobytes()
            self._waiting.setdefault(key, []).append(index)

    def __call__(self, hits: np.ndarray) -> np.ndarray:
        """Odds (steps, 9) of a hit in every cell, given the past and the classes before it.

        Raises:
            BeatError: hits of no performance that is known.
        """
        found = self._waiting.get(np.asarray(hits, bool).tobytes())
        if not found:
            raise BeatError(
                f"These {len(hits)} 16ths are of no performance that was given. Measure the "
                "performances that the odds were made for."
            )
        found.append(index := found.pop(0))
        return self._odds(ClipSet.of([self.clips.clips[index]], self.clips.genres))

    def _odds(self, clip: ClipSet) -> np.ndarray:
        tensors, state = ClipTensors(clip), None
        windows = whole_clips(
            clip, StyleSums(clip), self.scale, WINDOW_STEPS, 1, with_past_style=False
        )
        odds = []
        with torch.inference_mode():
            for _, window in windows:
                answer, state = self._window(tensors, window, state)
                odds.append(answer)
        return np.concatenate(odds)[: clip.steps]

    def _window(
        self, tensors: ClipTensors, window: Window, state: Carried | None
    ) -> tuple[np.ndarray, Carried]:
        memory, heard, state = remember(self.network, tensors, window, state)
        lags = heard.lags[:, 0].unflatten(-1, (LAGS, CONTENT))[..., :LANES]
        own, copied = self.network.lanes.from_memory(memory[:, 0], lags, heard.known[:, 0])
        struck = tensors.velocity[torch.from_numpy(window.places[:, 0])] > 0
        return self._through_classes(own, copied, lags, struck).numpy(), state

    def _through_classes(self, own: Tensor, copied: Tensor, lags: Tensor, struck: Tensor) -> Tensor:
        """Odds (steps, 9), class after class.

        `ways` are the lanes that may have made the classes so far, each with its odds, step by
        step; a class of two lanes that sounds was made by the one, the other or both.
        """
        steps = len(own)
        # products of many odds, and one minus them: single precision would round some to 0
        ways = [(torch.zeros(steps, LANES), torch.ones(steps).double())]
        odds = []
        for lanes in _LANES_OF_CLASS:
            sounds = struck[:, list(lanes)].any(1)
            silence, *sounding = itertools.product((False, True), repeat=len(lanes))
            hit, after = torch.zeros(steps).double(), []
            for taken, weight in ways:
                _, quiet = self._choose(own, copied, lags, taken, lanes, silence)
                for number, choice in enumerate(sounding):
                    chosen, chance = self._choose(own, copied, lags, taken, lanes, choice)
                    hit = hit + weight * chance
                    # where the class is silent, one of its ways stands for that
                    other = weight * quiet * float(number == 0)
                    lanes_now = torch.where(sounds[:, None], chosen, taken)
                    after.append((lanes_now, torch.where(sounds, weight * chance, other)))
            odds.append(hit)
            total = torch.stack([weight for _, weight in after]).sum(0)
            ways = [(taken, weight / total) for taken, weight in after]
        return torch.stack(odds, dim=1).clamp(0, 1)

    def _choose(
        self,
        own: Tensor,
        copied: Tensor,
        lags: Tensor,
        taken: Tensor,
        lanes: Sequence[int],
        choice: Sequence[bool],
    ) -> tuple[Tensor, Tensor]:
        """The lanes struck when `choice` is made of a class's `lanes`, and its odds (steps,)."""
        chosen, chance = taken.clone(), torch.ones(len(taken)).double()
        for lane, sounds in zip(lanes, choice, strict=True):
            logit = self.network.lanes.given_lanes(own, copied, lags, chosen)[:, lane]
            chance = chance * torch.sigmoid(logit.double() if sounds else -logit.double())
            chosen[:, lane] = float(sounds)
        return chosen, chance
