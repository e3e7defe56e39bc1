"""The groove model beside the roofline, and the paper's network beside the paper's loop."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.speed.measure import Row, core_seconds
from dj_core.library.library import SHIPPED_MODELS
from dj_core.models.families import load_model
from dj_core.models.request import GenerationRequest

BARS = 4
ROOFLINE_SIZE = 1_024
PAPER_NOTES = 500


def roofline() -> float:
    """Multiplications and additions a second, in 10^9, of a square float32 product."""
    left, right = torch.randn(2, ROOFLINE_SIZE, ROOFLINE_SIZE)
    seconds = core_seconds(lambda: torch.mm(left, right), 5)
    return 2 * ROOFLINE_SIZE**3 / seconds / 1e9


def groove_rows(batches: tuple[int, ...] = (1, 16, 64)) -> Iterator[Row]:
    """Bars a second of 4-bar takes in all genres."""
    part = "groove model"
    model = load_model(SHIPPED_MODELS / "groove")
    peak = roofline()
    yield Row(part, "roofline", peak, "GFLOP/s", True, note=f"{ROOFLINE_SIZE}-square product")
    flops = 2 * sum(
        product._weight.size for product in (*model.stepwise._layers, model.stepwise._lane_heads)
    )
    for batch in batches:
        requests = [
            GenerationRequest(genre=model.genres[seed % len(model.genres)], bars=BARS, seed=seed)
            for seed in range(batch)
        ]
        seconds = core_seconds(lambda asked=requests: model.generate_all(asked), 5)
        steps = sum(len(take.notes) for take in model.generate_all(requests))
        reached = flops * steps / seconds / 1e9
        yield Row(
            part,
            f"{batch} at once",
            batch * BARS / seconds,
            "bars/s",
            True,
            note=f"{1_000 * seconds:.0f} ms; {reached:.0f} GFLOP/s, {reached / peak:.0%} of peak",
        )


def notes_rows(notes: int = PAPER_NOTES) -> Iterator[Row]:
    """Seconds for notes of the paper's network: as the authors do, and as we do."""
    part = f"{notes} notes, paper-2x32"
    model = load_model(SHIPPED_MODELS / "paper-2x32")
    network = model.checkpoint.network
    generator = torch.Generator()

    def whole_song_again() -> None:
        generator.manual_seed(1)
        song = [0]
        while len(song) < notes:
            logits = network(torch.tensor([song]))[0][0, -1]
            song.append(int(torch.multinomial(logits.softmax(-1), 1, generator=generator)))

    def state_carried() -> None:
        generator.manual_seed(1)
        word, state = 0, None
        for _ in range(notes):
            logits, state = network.step(word, state)
            word = int(torch.multinomial(logits.softmax(-1), 1, generator=generator))

    request = GenerationRequest(notes=notes, bars=None, seed=1)
    with torch.inference_mode():
        yield Row(part, "whole song re-read", core_seconds(whole_song_again, 1), "s")
        carried = core_seconds(state_carried)
    yield Row(part, "state carried", carried, "s", against="whole song re-read")
    ours = core_seconds(lambda: model.generate(request))
    yield Row(part, "ours", ours, "s", against="whole song re-read", note="with filters and a Beat")
