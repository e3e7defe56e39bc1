"""Trains the transcriber and writes its folder: `python -m scripts.train_transcriber --groove …`.

One process on one thread renders clips and learns from them. A step learns from a batch of the
clips at hand, each heard through an equaliser of its own, the oldest of which make room for new
ones. The learning rate falls along a cosine over the core minutes there are. Last, the outputs are
fitted anew to recorded kits, and thresholds are chosen on kits that nothing learned from;
`--core-minutes 0 --begin-with FOLDER` does only that. `--state FILE` keeps all that is needed to go
on with the same command after a stop; run with OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from dj_core.files.midi import read_midi
from dj_core.listening.drum_features import BANDS, HOP, RATE_HZ, band_centres_hz
from dj_core.listening.drum_network import (
    CONTEXT_AFTER,
    DILATIONS,
    KINDS,
    OUTPUTS,
    SHIPPED_TRANSCRIBER,
    VOICES,
    WEIGHTS_NAME,
    Transcriber,
    load_transcriber,
)
from dj_core.listening.stroke_reading import peaks
from dj_core.music.drums import DRUMS
from dj_core.sound.kit_table import OUR_KITS
from dj_core.sound.kits.recipes import recipes
from scripts.drum_mixes import (
    CLIP_FRAMES,
    HELD_OUT_KITS,
    HYDROGEN_KITS,
    HYDROGEN_TUNING_KITS,
    TUNING_KITS,
    Clip,
    DrumKit,
    Mixer,
    Performance,
    drawn_kit,
    groove_beats,
    merged,
    phrases,
    played_kit,
    sampled_kits,
)

WIDTH, CONTEXT = 128, 64
BATCH = 16
CLIPS_KEPT = 6_000
NEW_A_STEP = 7
CLIPS_AT_START = 300
LEARNING_RATE, WARM_UP = 3e-3, 100
AVERAGING = 0.995  # of the weights that are kept, a step
DRAWN_KITS = 96
TUNING_CLIPS = 160
REFIT_CLIPS, REFIT_STEPS, REFIT_RATE, REFIT_PULL = 350, 400, 0.02, 1e-3
GROUPS = [[KINDS.index(drum) for drum in drums] for drums in VOICES.values() if len(drums) > 1]
GROUPED_VOICES = [place for place, drums in enumerate(VOICES.values()) if len(drums) > 1]
SOUNDFONT_KITS = ("standard", "room", "power", "electronic", "tr-808", "jazz", "brush", "orchestra")


class Network(nn.Module):
    """`drum_network.Transcriber` in torch, with batch normalisation, which is folded at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv1d(BANDS, WIDTH, 3, padding=1, bias=False), nn.BatchNorm1d(WIDTH)
        )
        self.taps = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(WIDTH, WIDTH, 3, padding=dilation, dilation=dilation, bias=False),
                nn.BatchNorm1d(WIDTH),
            )
            for dilation in DILATIONS
        )
        self.mix = nn.ModuleList(
            nn.Sequential(nn.Conv1d(WIDTH, WIDTH, 1, bias=False), nn.BatchNorm1d(WIDTH))
            for _ in DILATIONS
        )
        self.context = nn.Sequential(
            nn.Linear(2 * WIDTH, CONTEXT), nn.ReLU(), nn.Linear(CONTEXT, WIDTH)
        )
        self.out = nn.Conv1d(WIDTH, OUTPUTS, 1)
        with torch.no_grad():
            self.out.bias[: len(VOICES)] = -4  # strokes are rare

    def forward(self, levels: Tensor) -> Tensor:
        """(clips, BANDS, frames) to (clips, OUTPUTS, frames)."""
        state = self.first(levels).relu()
        for place, (taps, mix) in enumerate(zip(self.taps, self.mix, strict=True)):
            if place == CONTEXT_AFTER:
                heard = torch.cat([state.mean(2), state.std(2, correction=0)], 1)
                state = state + self.context(heard)[:, :, None]
            state = (state + mix(taps(state).relu())).relu()
        return self.out(state)

    def begin_with(self, folder: Path) -> None:
        """Take the weights of a folder; the norms are then one, until `measure` has seen clips."""
        weights = {
            name: torch.from_numpy(array)
            for name, array in load_file(folder / WEIGHTS_NAME).items()
        }
        pairs = [("in.weight", "in.bias", self.first)]
        for place, (taps, mix) in enumerate(zip(self.taps, self.mix, strict=True)):
            weights[f"blocks.{place}.mix"] = weights[f"blocks.{place}.mix"][None]
            pairs.append((f"blocks.{place}.taps", f"blocks.{place}.taps.bias", taps))
            pairs.append((f"blocks.{place}.mix", f"blocks.{place}.mix.bias", mix))
        with torch.no_grad():
            for weight, bias, (convolution, norm) in pairs:
                convolution.weight.copy_(weights[weight].permute(2, 1, 0))
                norm.bias.copy_(weights[bias])
                norm.running_var.fill_(1 - norm.eps)
            for place, layer in enumerate((self.context[0], self.context[2])):
                layer.weight.copy_(weights[f"context.{place}"].T)
                layer.bias.copy_(weights[f"context.{place}.bias"])
            self.out.weight.copy_(weights["out"].T[:, :, None])
            self.out.bias.copy_(weights["out.bias"])

    def measure(self, levels: Tensor) -> None:
        """Give the norms what they would measure on these clips; the outputs stay the same."""
        norms = [one for one in self.modules() if isinstance(one, nn.BatchNorm1d)]
        told = [one.register_forward_pre_hook(_measured) for one in norms]
        self.eval()
        with torch.no_grad():
            self(levels)
        for one in told:
            one.remove()
        self.train()

    def folded(self) -> dict[str, np.ndarray]:
        """The weights as `Transcriber` has them."""

        def fold(pair: nn.Module) -> tuple[np.ndarray, np.ndarray]:
            convolution, norm = pair
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            weight = convolution.weight * scale[:, None, None]
            bias = norm.bias - norm.running_mean * scale
            return weight.detach().permute(2, 1, 0).numpy(), bias.detach().numpy()

        found = dict(zip(("in.weight", "in.bias"), fold(self.first), strict=True))
        for place, (taps, mix) in enumerate(zip(self.taps, self.mix, strict=True)):
            found[f"blocks.{place}.taps"], found[f"blocks.{place}.taps.bias"] = fold(taps)
            weight, found[f"blocks.{place}.mix.bias"] = fold(mix)
            found[f"blocks.{place}.mix"] = weight[0]
        for place, layer in enumerate((self.context[0], self.context[2])):
            found[f"context.{place}"] = layer.weight.detach().numpy().T
            found[f"context.{place}.bias"] = layer.bias.detach().numpy()
        found["out"] = self.out.weight.detach().numpy()[:, :, 0].T
        found["out.bias"] = self.out.bias.detach().numpy()
        return {name: np.ascontiguousarray(value, np.float32) for name, value in found.items()}


@torch.no_grad()
def _measured(norm: nn.Module, inputs: tuple[Tensor]) -> None:
    """Of a norm that is one: measure its input, and undo what that changes."""
    assert isinstance(norm, nn.BatchNorm1d)
    variance, mean = torch.var_mean(inputs[0], (0, 2), correction=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_(torch.sqrt(variance + norm.eps))
    norm.bias += mean


def freshened(levels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A clip's levels (bands, frames) through an equaliser that is drawn anew."""
    centres = np.log2(band_centres_hz())
    curve = rng.normal(0, 0.03) + rng.normal(0, 0.03) * (centres - 10)
    middle, width = rng.uniform(5.5, 13.8), rng.uniform(0.6, 2.5)
    curve += rng.normal(0, 0.05) * np.exp(-(((centres - middle) / width) ** 2))
    # near the floor nothing changes: silence stays silent
    audible = np.clip(levels.astype(np.float32) * 8, 0, 1)
    return levels + audible * curve[:, None].astype(np.float32)


def targets_of(clip: Clip) -> np.ndarray:
    """What the network is to say of a clip: rows of (struck, velocity, offset, weight), then kinds.

    Shape (4 × voices + grouped voices, frames).
    """
    voices = len(VOICES)
    wanted = np.zeros((4 * voices + len(GROUPS), CLIP_FRAMES), np.float16)
    wanted[4 * voices :] = -1
    for second, voice, kind, velocity in merged(clip.seconds, clip.lanes, clip.velocities):
        place = second * RATE_HZ / HOP
        for frame in range(int(place) - 1, int(place) + 3):
            off = place - frame
            if not 0 <= frame < CLIP_FRAMES or abs(off) > 1.5:
                continue
            near = abs(off) <= 0.5
            struck = 1.0 if near else float(np.exp(-(off**2)))
            if struck < wanted[voice, frame]:
                continue
            wanted[voice, frame] = struck
            wanted[voices + voice, frame] = velocity / 127
            wanted[2 * voices + voice, frame] = off
            wanted[3 * voices + voice, frame] = 1 if near else 0.3
            if voice in GROUPED_VOICES:
                group = GROUPED_VOICES.index(voice)
                wanted[4 * voices + group, frame] = GROUPS[group].index(kind)
    return wanted


def loss_of(told: Tensor, wanted: Tensor) -> Tensor:
    """Strokes by cross-entropy; velocity, offset and kind where there is one."""
    voices = len(VOICES)
    struck, velocity, offset, weight = wanted[:, : 4 * voices].split(voices, 1)
    logits = told[:, :voices]
    entropy = nn.functional.binary_cross_entropy_with_logits(logits, struck, reduction="none")
    # the more there is to lose by a frame, the more it counts
    entropy = entropy * (1 + 2 * struck)
    strokes = weight.sum() + 1
    total = entropy.sum() / strokes
    total = (
        total
        + 2 * ((told[:, voices : 2 * voices].sigmoid() - velocity).abs() * weight).sum() / strokes
    )
    total = (
        total + 0.5 * ((told[:, 2 * voices : 3 * voices] - offset).abs() * weight).sum() / strokes
    )
    for place, (group, voice) in enumerate(zip(GROUPS, GROUPED_VOICES, strict=True)):
        kinds = wanted[:, 4 * voices + place].long()
        guessed = told[:, 3 * voices :][:, group]
        lost = nn.functional.cross_entropy(guessed, kinds.clamp(min=0), reduction="none")
        total = total + 0.5 * (lost * (kinds >= 0) * weight[:, voice]).sum() / strokes
    return total


def random_performances(rng: np.random.Generator, count: int) -> list[Performance]:
    """Strokes of any drum anywhere, for drums that few play."""
    found = []
    for _ in range(count):
        number = int(rng.integers(20, 120))
        lanes = rng.choice(rng.permutation(len(DRUMS))[: rng.integers(2, 10)], number)
        found.append(
            Performance(
                np.sort(rng.uniform(0, 8, number)), lanes, rng.integers(15, 128, number), 8.0
            )
        )
    return found


def make_mixer(options: argparse.Namespace) -> Mixer:
    """All there is to learn from."""
    rng = np.random.default_rng(options.seed)
    groove = [Performance.of(beat) for beat in groove_beats(options.groove, "train")]
    groove = [one for one in groove if len(one.seconds)]
    long = sorted(groove, key=lambda one: -one.length_seconds)[:400]
    archive = []
    for path in sorted(options.archive.rglob("*.mid")) if options.archive else ():
        beat = read_midi(path, "extended")
        if beat.hits:
            archive.append(Performance.of(beat, float(rng.uniform(75, 165))))
    ours = [Performance.of(beat) for beat in phrases(held_out=False)]
    pools = [
        (0.4, long),
        (0.1, groove),
        (0.15, archive),
        (0.25, ours),
        (0.1, random_performances(rng, 200)),
    ]
    known = [
        recipe for name, recipe in recipes().items() if name not in (*HELD_OUT_KITS, *TUNING_KITS)
    ]
    synthesised: list[DrumKit] = [
        played_kit(kit.name) for kit in OUR_KITS if kit.name not in (*HELD_OUT_KITS, *TUNING_KITS)
    ]
    drawn = [drawn_kit(rng, known) for _ in range(DRAWN_KITS)]
    kits = [(0.2, synthesised), (0.25, drawn), *recorded_kits(options, rng)]
    return Mixer([pool for pool in pools if pool[1]], kits, options.seed)


def recorded_kits(
    options: argparse.Namespace, rng: np.random.Generator
) -> list[tuple[float, list[DrumKit]]]:
    """The SoundFonts' kits and Hydrogen's, with their shares."""
    kits = []
    for soundfont in options.soundfont:
        share = 0.3 / len(options.soundfont)
        kits.append((share, [played_kit(name, soundfont) for name in SOUNDFONT_KITS]))
    if options.hydrogen:
        like = played_kit("lo-fi")
        for name in HYDROGEN_KITS:
            share = 0.25 / len(HYDROGEN_KITS)
            kits.append((share, sampled_kits(options.hydrogen / name, rng, like)))
    return kits


def refitted(
    weights: dict[str, np.ndarray], performances: Sequence[Performance], options: argparse.Namespace
) -> dict[str, np.ndarray]:
    """The weights with a last layer that says strokes anew: a regression on recorded kits.

    It takes seconds, and gives most for kits that the network has not learned from: its features
    serve them better than its outputs do. It stays near what the network says itself.
    """
    kits = recorded_kits(options, np.random.default_rng(options.seed))
    if not kits:
        return weights
    mixer = Mixer([(1, performances)], kits, options.seed + 2, as_played=True)
    voices = len(VOICES)
    size = len(weights["out"])
    through = np.eye(size, dtype=np.float32)
    inner = Transcriber({**weights, "out": through, "out.bias": np.zeros(size, np.float32)}, {})
    seen, struck = [], []
    for _ in range(REFIT_CLIPS):
        clip = mixer.clip()
        seen.append(inner.outputs(clip.levels.astype(np.float32)))
        struck.append(targets_of(clip)[:voices].T.astype(np.float32))
    states = torch.from_numpy(np.concatenate(seen))
    wanted = torch.from_numpy(np.concatenate(struck))
    told = torch.from_numpy(weights["out"][:, :voices].copy())
    bias = torch.from_numpy(weights["out.bias"][:voices].copy())
    near = ((states @ told + bias).amax(1) > -5) | (wanted.amax(1) > 0)  # the rest is silent
    states, wanted = states[near], wanted[near]
    scale = states.std(0)[:, None] + 1e-3
    turn, shift = torch.zeros_like(told).requires_grad_(), torch.zeros_like(bias).requires_grad_()
    optimiser = torch.optim.Adam([turn, shift], REFIT_RATE)
    for step in range(REFIT_STEPS):
        chosen = torch.randint(len(states), (8_192,))
        logits = states[chosen] @ (told + turn / scale) + bias + shift
        entropy = nn.functional.binary_cross_entropy_with_logits(
            logits, wanted[chosen], reduction="none"
        )
        loss = 10 * (entropy * (1 + 2 * wanted[chosen])).mean() + REFIT_PULL * turn.square().sum()
        optimiser.param_groups[0]["lr"] = REFIT_RATE * (1 - step / REFIT_STEPS)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    out, out_bias = weights["out"].copy(), weights["out.bias"].copy()
    out[:, :voices] = (told + turn / scale).detach().numpy()
    out_bias[:voices] = (bias + shift).detach().numpy()
    return {**weights, "out": out, "out.bias": out_bias}


def tuned(
    networks: Sequence[Transcriber],
    performances: Sequence[Performance],
    clips: int,
    hydrogen: Path | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """F1 and threshold by network and voice, where strokes are found best.

    The kits are such as nothing learned from.
    """
    kits: list[DrumKit] = [played_kit(name) for name in TUNING_KITS]
    if hydrogen:
        rng = np.random.default_rng(98)
        for name in HYDROGEN_TUNING_KITS:
            kits += sampled_kits(hydrogen / name, rng, kits[2])[:1]
    mixer = Mixer([(1, performances)], [(1, kits)], 99, as_played=True)
    thresholds = np.arange(0.15, 0.9, 0.05)
    # found rightly; played and found
    counts = np.zeros((len(networks), len(VOICES), len(thresholds), 2))
    for _ in range(clips):
        clip = mixer.clip()
        played = merged(clip.seconds, clip.lanes, clip.velocities)
        for network, its in zip(networks, counts, strict=True):
            sure = 1 / (1 + np.exp(-network.outputs(clip.levels.astype(np.float32))))
            for voice in range(len(VOICES)):
                wanted = [second * RATE_HZ / HOP for second, one, *_ in played if one == voice]
                for place, threshold in enumerate(thresholds):
                    frames = peaks(sure[:, voice], float(threshold))
                    near = sum(any(abs(one - at) <= 4 for one in frames) for at in wanted)
                    its[voice, place] += near, len(frames) + len(wanted)
    scores = 2 * counts[..., 0] / np.maximum(1, counts[..., 1])
    return scores.max(axis=2), thresholds[scores.argmax(axis=2)]


def save(
    weights: dict[str, np.ndarray],
    folder: Path,
    thresholds: dict[str, float],
    facts: dict[str, object],
) -> None:
    """Write the folder's weights."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"thresholds": json.dumps(thresholds), "facts": json.dumps(facts)}
    halves = {name: np.ascontiguousarray(value, np.float16) for name, value in weights.items()}
    save_file(halves, folder / WEIGHTS_NAME, metadata)


def learned(options: argparse.Namespace) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """Render and learn, saving now and then: the weights, and facts of their making."""
    began = time.monotonic()
    mixer = make_mixer(options)
    print(f"material {time.monotonic() - began:.0f} s", flush=True)
    clips: list[tuple[np.ndarray, np.ndarray]] = []
    network, average = Network(), Network()
    optimiser = torch.optim.AdamW(network.parameters(), options.learning_rate, weight_decay=0.01)
    step, made, worked = 0, 0, 0.0
    if options.state and options.state.exists():
        kept = torch.load(options.state, weights_only=True)
        network.load_state_dict(kept["network"])
        average.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        step, made, worked = kept["step"], kept["made"], kept["worked"]
        mixer.rng = np.random.default_rng([options.seed, made])
    elif options.begin_with:
        network.begin_with(options.begin_with)
        levels = np.stack([mixer.clip().levels.T for _ in range(24)]).astype(np.float32)
        network.measure(torch.from_numpy(levels))
        average.load_state_dict(network.state_dict())
    average.eval()
    rng = np.random.default_rng([options.seed + 1, step])
    losses: list[float] = []
    began, start = time.monotonic(), time.process_time() - worked
    while True:
        worked = time.process_time() - start
        done = worked / 60 / options.core_minutes
        if step % 100 == 0 or done >= 1:
            facts = {"steps": step, "clips": made, "core_minutes": round(worked / 60, 1)}
            save(average.folded(), options.out, dict.fromkeys(VOICES, 0.5), facts)
            if options.state:
                torch.save(
                    {"network": network.state_dict(), "average": average.state_dict(),
                     "optimiser": optimiser.state_dict(), "step": step, "made": made,
                     "worked": worked},
                    options.state.with_suffix(".new"),
                )  # fmt: skip
                options.state.with_suffix(".new").replace(options.state)
        if done >= 1:
            break
        for _ in range(NEW_A_STEP if clips else CLIPS_AT_START):
            clip = mixer.clip()
            new = clip.levels.T, targets_of(clip)
            if len(clips) < CLIPS_KEPT:
                clips.append(new)
            else:
                clips[made % CLIPS_KEPT] = new
            made += 1
        chosen = rng.integers(len(clips), size=BATCH)
        levels = np.stack([freshened(clips[one][0], rng) for one in chosen]).astype(np.float32)
        wanted = torch.from_numpy(np.stack([clips[one][1] for one in chosen]).astype(np.float32))
        rate = options.learning_rate * min(1, (step + 1) / WARM_UP)
        rate *= 0.5 + 0.5 * np.cos(np.pi * min(1, done))
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = loss_of(network(torch.from_numpy(levels)), wanted)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 3.0)
        optimiser.step()
        step += 1
        losses.append(float(loss.detach()))
        keep = min(AVERAGING, step / (step + 10))
        with torch.no_grad():
            for kept_, now in zip(
                average.state_dict().values(), network.state_dict().values(), strict=True
            ):
                if kept_.is_floating_point():
                    kept_.lerp_(now, 1 - keep)
        if step % 50 == 0:
            print(
                f"step {step} loss {np.mean(losses[-50:]):.4f} clips {made} "
                f"clock {time.monotonic() - began:.0f} s work {worked:.0f} s",
                flush=True,
            )
    return average.folded(), facts


def main() -> None:
    """Learn, fit the outputs, choose thresholds, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groove", type=Path, required=True, help="the Groove MIDI Dataset")
    parser.add_argument("--archive", type=Path, help="the paper's corpus")
    parser.add_argument(
        "--soundfont", type=Path, action="append", default=[],
        help="FluidR3_GM.sf2 (Debian: fluid-soundfont-gm), MuseScore_General_Full.sf3 "
        "(musescore-general-soundfont); may be given more than once",
    )  # fmt: skip
    parser.add_argument("--hydrogen", type=Path, help="kits of Debian's hydrogen-drumkits")
    parser.add_argument("--out", type=Path, default=SHIPPED_TRANSCRIBER)
    parser.add_argument("--begin-with", type=Path, help="a transcriber's folder, to go on from")
    parser.add_argument("--state", type=Path, help="a file to go on from, kept up to date")
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    parser.add_argument("--core-minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    played = [Performance.of(beat) for beat in groove_beats(options.groove, "train")]
    played = [one for one in played if len(one.seconds)]
    ours = [Performance.of(beat) for beat in phrases(held_out=False)]
    some = [*played[:: max(1, len(played) // 150)], *ours[:: max(1, len(ours) // 150)]]
    if options.core_minutes:
        weights, facts = learned(options)
    else:
        transcriber = load_transcriber(options.begin_with)
        weights, facts = dict(transcriber.weights), {"begun_with": str(options.begin_with)}
    both = [weights, refitted(weights, some, options)]
    networks = [Transcriber(one, {}) for one in both]
    scores, found = tuned(networks, some, TUNING_CLIPS, options.hydrogen)
    thresholds = {}
    for voice, name in enumerate(VOICES):  # as it was, or anew: whichever serves other kits better
        better = int(scores[1, voice] > scores[0, voice])
        print(f"{name} F1 {scores[0, voice]:.3f}, anew {scores[1, voice]:.3f}")
        thresholds[name] = round(float(found[better, voice]), 2)
        for part in ("out", "out.bias"):
            both[0][part][..., voice] = both[better][part][..., voice]
    save(both[0], options.out, thresholds, facts)
    print(json.dumps(thresholds), json.dumps(facts))


if __name__ == "__main__":
    main()
