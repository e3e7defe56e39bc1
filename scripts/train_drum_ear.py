"""Trains the drum classifier on our kits: ``python -m scripts.train_drum_ear`` writes its weights.

``--left-out`` trains on some kits and guesses the drums of the others, each kit once, by sound, by
name and by both, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from dj_core.files.storage import write_bytes_atomic
from dj_core.music.drums import DRUM, DRUMS
from dj_core.sound import drum_ear
from dj_core.sound.kit_table import OUR_KITS
from dj_core.sound.kits.building import strokes
from dj_core.sound.kits.recipes import recipes
from dj_core.sound.kits.signals import SAMPLE_RATE_HZ

VARIANTS = 8  # of every stroke: higher, lower, shorter, darker, driven
LAYERS = (1, 3)
HIDDEN = (40,)
FOLDS = 5
HEARD_AS = {"pedal_hat": "closed_hat", "low_tom": "tom", "mid_tom": "tom", "high_tom": "tom"}
# How packs on sale name their files: about two in five say nothing.
NAMES = {
    "kick": ("Kick_{n}", "BD{n}", "tight bass drum {n}"),
    "snare": ("Snare {n}", "SD_{n}", "Snr-{n}"),
    "side_stick": ("Rim_{n}", "Rimshot {n}", "SideStick{n}"),
    "clap": ("Clap-{n}", "CP{n}", "Handclap {n}"),
    "closed_hat": ("HatClosed{n}", "CH_{n}", "Closed Hihat {n}"),
    "pedal_hat": ("Pedal Hat {n}", "HHP{n}", "foot_hat_{n}"),
    "open_hat": ("Open Hat {n}", "OH{n}", "HiHat_Open_{n}"),
    "low_tom": ("Low Tom {n}", "LT{n}", "Tom_Lo_{n}"),
    "mid_tom": ("Mid Tom {n}", "MT{n}", "Tom_Mid_{n}"),
    "high_tom": ("Hi Tom {n}", "HT{n}", "Tom_High_{n}"),
    "crash": ("Crash {n}", "Cymbal-{n}", "CR{n}"),
    "ride": ("Ride_{n}", "RD{n}", "Ride {n}"),
    "tambourine": ("Tamb{n}", "Tambourine {n}", "tamb_{n}"),
    "shaker": ("Shaker {n}", "Shk{n}", "Maracas_{n}"),
    "cowbell": ("Cowbell{n}", "CB_{n}", "Cow Bell {n}"),
    "conga": ("Conga {n}", "Bongo_{n}", "Congas-{n}"),
}
SAYING_NOTHING = ("{n}", "AA_{n}", "Untitled {n}", "vintage machine {n}", "Sound_{n:03}")
SHARE_SAYING_NOTHING = 0.4


def varied(sound: NDArray[np.float64], draw: random.Random) -> NDArray[np.float64]:
    """A recording as another machine and another engineer would have made it."""
    pitch = 2 ** (draw.uniform(-5, 5) / 12)
    places = np.arange(0, len(sound) - 1, pitch)
    sound = np.interp(places, np.arange(len(sound)), sound)
    if draw.random() < 0.6:
        sound = sound * np.exp(-np.arange(len(sound)) / SAMPLE_RATE_HZ * draw.uniform(0, 14))
    if draw.random() < 0.4:
        cut = 10 ** draw.uniform(3.4, 4.2)
        sound = sosfilt(butter(1, cut, "low", fs=SAMPLE_RATE_HZ, output="sos"), sound)
    if draw.random() < 0.3:
        cut = 10 ** draw.uniform(1.3, 2.3)
        sound = sosfilt(butter(1, cut, "high", fs=SAMPLE_RATE_HZ, output="sos"), sound)
    if draw.random() < 0.4:
        sound = np.tanh(sound / np.abs(sound).max() * draw.uniform(1, 5))
    if draw.random() < 0.3:  # a room
        noise = np.random.default_rng(draw.randrange(2**32))
        ring = noise.normal(size=round(0.25 * SAMPLE_RATE_HZ))
        ring *= np.exp(-np.arange(len(ring)) / SAMPLE_RATE_HZ * draw.uniform(12, 40))
        wet = np.convolve(sound, ring / np.sqrt(np.square(ring).sum()))
        dry = np.pad(sound, (0, len(wet) - len(sound)))
        sound = dry + wet * draw.uniform(0.05, 0.35)
    return sound


def examples(kit: str, variants: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The drums of a kit of ours: lane and sound, as synthesised and in so many variants."""
    draw = random.Random(kit)
    recipe = recipes()[kit]
    for drum in DRUMS:
        for alternate in (0, 1):
            made = strokes(recipe, drum.name, alternate, LAYERS)
            for stroke in made.values():
                yield drum.name, stroke
                for _ in range(variants):
                    yield drum.name, varied(stroke, draw)


def heard(kits: Sequence[str], variants: int) -> tuple[NDArray[np.float64], list[str]]:
    """Features and lanes of kits."""
    rows, lanes = [], []
    for kit in kits:
        for lane, sound in examples(kit, variants):
            rows.append(drum_ear.features(sound, SAMPLE_RATE_HZ))
            lanes.append(lane)
    return np.array(rows), lanes


def trained(rows: NDArray[np.float64], lanes: Sequence[str]) -> dict[str, Any]:
    """The ear's weights."""
    scaler = StandardScaler().fit(rows)
    drums = [drum_ear.HEARD.index(HEARD_AS.get(lane, lane)) for lane in lanes]
    network = MLPClassifier(HIDDEN, alpha=3.0, max_iter=60, random_state=1, early_stopping=False)
    network.fit(scaler.transform(rows), drums)
    weights: dict[str, Any] = {
        "heard": list(drum_ear.HEARD),
        "layers": len(network.coefs_),
        "mean": scaler.mean_.tolist(),
        "scale": scaler.scale_.tolist(),
    }
    for number, (matrix, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        weights |= {f"weights_{number}": matrix.tolist(), f"bias_{number}": bias.tolist()}
    return weights


def use(weights: dict[str, Any]) -> None:
    """Have `drum_ear` guess with these weights."""
    ear = {name: np.array(values) for name, values in weights.items() if name != "heard"}
    drum_ear._ear = lambda: ear


def file_name(lane: str, draw: random.Random, number: int) -> str:
    """What a pack on sale might call a recording of a drum."""
    told = SAYING_NOTHING if draw.random() < SHARE_SAYING_NOTHING else NAMES[lane]
    return draw.choice(told).format(n=number) + ".wav"


def left_out(variants: int) -> dict[str, float]:
    """How many drums are guessed right of kits that were not learned from."""
    names = [kit.name for kit in OUR_KITS]
    rights: dict[str, list[bool]] = {"sound": [], "name": [], "both": []}
    by_drum: dict[str, list[bool]] = {drum: [] for drum in drum_ear.HEARD}
    known = {name: heard([name], variants) for name in names}
    for fold in range(FOLDS):
        out = names[fold::FOLDS]
        rows = np.concatenate([known[name][0] for name in names if name not in out])
        use(trained(rows, [lane for name in names if name not in out for lane in known[name][1]]))
        for kit in out:
            draw = random.Random(f"{kit} names")
            for number, (lane, sound) in enumerate(examples(kit, 1), start=1):
                told = drum_ear.guess_by_sound(sound, SAMPLE_RATE_HZ)
                right = max(told, key=told.__getitem__) == HEARD_AS.get(lane, lane)
                rights["sound"].append(right)
                by_drum[HEARD_AS.get(lane, lane)].append(right)
                name = file_name(lane, draw, number)
                rights["name"].append(drum_ear.guess_by_name(name) == lane)
                lanes = drum_ear.guess(name, sound, SAMPLE_RATE_HZ)
                best = max(lanes, key=lanes.__getitem__)
                rights["both"].append(HEARD_AS.get(best, best) == HEARD_AS.get(lane, lane))
    told = {name: round(float(np.mean(right)), 4) for name, right in rights.items()}
    return told | {f"sound of {drum}": round(float(np.mean(r)), 3) for drum, r in by_drum.items()}


def main() -> None:
    """Train, or say how well kits are guessed that were left out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--left-out", action="store_true")
    parser.add_argument("--variants", type=int, default=VARIANTS)
    options = parser.parse_args()
    assert set(NAMES) == set(DRUM)
    if options.left_out:
        print(json.dumps(left_out(options.variants)))
        return
    weights = trained(*heard([kit.name for kit in OUR_KITS], options.variants))
    text = json.dumps(weights, separators=(",", ":"), default=float)
    rounded = json.loads(text, parse_float=lambda number: float(f"{float(number):.4g}"))
    content = (json.dumps(rounded, separators=(",", ":")) + "\n").encode()
    write_bytes_atomic(drum_ear.WEIGHTS_PATH, content)
    print(f"{drum_ear.WEIGHTS_PATH.name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
