"""The drum voices: each a documented synthesis with its parameters as fields.

    parameters + hardness + alternate --tone--> raw --channel strip--> one stroke, mono

`hardness` says how hard a stroke is, from 0 to 1. It changes timbre: clicks, drive, brightness and
pitch drop grow with it, decays a little. `alternate` counts strokes that are to sound alike but not
the same (left and right hand): other noise and a slight change of pitch and decay.

What the parameters of a kit are is data, in `assets/kits.json`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from dj_core.sound.kits.signals import (
    SAMPLE_RATE_HZ,
    Signal,
    band_pass,
    decay,
    decibels,
    driven,
    frames_of,
    gliding_sine,
    high_pass,
    low_pass,
    metal,
    noise,
    peak,
    resonator,
    sampled,
    seconds,
)

_SNAP_MS = 4.0  # how long the first crack of a hat, a snare or a cymbal lasts
_END_FADE = 0.12  # of a stroke is faded out, 8 ms at least
_END_FADE_MS = 8.0
_ALTERNATE_CENTS = 22.0  # how far the pitch of an alternate lies off


@dataclass(frozen=True, kw_only=True)
class Voice(ABC):
    """What all voices have: a channel strip.

    Attributes:
        longest_ms: where a stroke is cut at the latest.
        drive: soft clipping of the hardest stroke; 0 is none.
        low_cut_hz, high_cut_hz: 12 dB an octave off below and above.
        soft_octaves: how many octaves lower `high_cut_hz` is for the softest stroke.
        rate_hz, bits: as a sampling machine keeps it; 0 for untouched.
    """

    longest_ms: float = 400
    drive: float = 0
    low_cut_hz: float = 20
    high_cut_hz: float = 20_000
    soft_octaves: float = 1.5
    rate_hz: float = 0
    bits: float = 12

    @abstractmethod
    def tone(self, hardness: float, alternate: int, seed: int) -> Signal:
        """The drum before the channel strip, at any level."""

    def stroke(self, hardness: float, alternate: int, seed: int, end_db: float = -56.0) -> Signal:
        """One stroke until it has died away; its loudest frame is 1 or -1.

        Args:
            hardness: 0 to 1.
            alternate: 0 for the drum's usual stroke.
            seed: of the kit's noise.
            end_db: it is over where it stays below this, against its own peak.
        """
        sound = self.tone(hardness, alternate, seed)
        sound = driven(sound / np.abs(sound).max(), self.drive * (0.3 + 0.7 * hardness))
        sound = high_pass(sound, self.low_cut_hz)
        high_cut_hz = self.high_cut_hz * 2 ** (self.soft_octaves * (hardness - 1))
        sound = low_pass(sound, high_cut_hz)
        sound = sound / np.abs(sound).max()
        if self.rate_hz:
            sound = sampled(sound, self.rate_hz, self.bits)
            if hardness < 1:  # what sampling adds above is softer, too
                sound = low_pass(sound, high_cut_hz)
            sound = sound / np.abs(sound).max()
        return _ended(sound, end_db)

    @property
    def frames(self) -> int:
        """How long it is synthesised."""
        return frames_of(self.longest_ms)


def _ended(sound: Signal, end_db: float) -> Signal:
    """The stroke without what is too soft to hear, faded out there."""
    heard = np.flatnonzero(np.abs(sound) > decibels(end_db))
    ended = sound[: int(heard[-1]) + 1].copy()
    faded = min(len(ended), max(frames_of(_END_FADE_MS), round(_END_FADE * len(ended))))
    ended[-faded:] *= 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, faded))
    return ended


def _hand(alternate: int) -> float:
    """The pitch of an alternate against the usual stroke's."""
    return 2 ** (_ALTERNATE_CENTS * alternate / 1200)


def _seeded(seed: int, alternate: int, part: int) -> int:
    """A seed for each part of each alternate."""
    return seed * 1_000 + alternate * 100 + part


@dataclass(frozen=True, kw_only=True)
class Kick(Voice):
    """A sine that falls to its pitch, with a click and soft clipping.

    Attributes:
        hertz: where its pitch comes to rest.
        drop, drop_ms: how many times as high it begins, and how fast it falls.
        hold_ms, decay_ms: how long the body stands, then dies away.
        punch, punch_ms: a second, short body on top, and its length.
        click_db, click_hz, click_ms: a burst of band-passed noise at the start.
    """

    longest_ms: float = 700
    hertz: float = 48
    drop: float = 4
    drop_ms: float = 18
    hold_ms: float = 20
    decay_ms: float = 90
    punch: float = 0
    punch_ms: float = 15
    click_db: float = -24
    click_hz: float = 3500
    click_ms: float = 2

    def tone(self, hardness: float, alternate: int, seed: int) -> Signal:
        """The body, and the click over it."""
        frames = self.frames
        drop = 1 + (self.drop - 1) * (0.5 + 0.5 * hardness)
        body = gliding_sine(frames, self.hertz, drop, self.drop_ms)
        level = decay(frames, self.decay_ms * (0.85 + 0.15 * hardness), self.hold_ms)
        level = level + self.punch * hardness * decay(frames, self.punch_ms)
        click = band_pass(noise(_seeded(seed, 0, 1), frames), self.click_hz, 0.8)
        click *= decay(frames, self.click_ms) * decibels(self.click_db) * hardness**1.5 * 3
        return body * level + click


@dataclass(frozen=True, kw_only=True)
class Snare(Voice):
    """Two falling sines for the skin, band-passed noise for the wires.

    Attributes:
        hertz, ratio: pitch of the skin's lower tone; of the upper, against it.
        upper: level of the upper tone, against the lower.
        drop, drop_ms, tone_ms: their fall, and how long they sound.
        wires_db: level of the noise against the tones.
        wires_low_hz, wires_high_hz, wires_ms: what the noise lies between, and its decay.
        body_hz, body_db: a resonance of the noise.
        snap: share of the noise that is over at once.
    """

    longest_ms: float = 450
    hertz: float = 180
    ratio: float = 1.78
    upper: float = 0.5
    drop: float = 1.5
    drop_ms: float = 12
    tone_ms: float = 40
    wires_db: float = -3
    wires_low_hz: float = 900
    wires_high_hz: float = 9000
    wires_ms: float = 60
    body_hz: float = 1200
    body_db: float = 0
    snap: float = 0.4

    def tone(self, hardness: float, alternate: int, seed: int) -> Signal:
        """The skin, and the wires under it."""
        frames, hand = self.frames, _hand(alternate)
        drop = 1 + (self.drop - 1) * (0.5 + 0.5 * hardness)
        lower = gliding_sine(frames, self.hertz * hand, drop, self.drop_ms)
        upper = gliding_sine(frames, self.hertz * self.ratio * hand, drop, self.drop_ms)
        tones = lower * decay(frames, self.tone_ms)
        tones += upper * decay(frames, self.tone_ms * 0.7) * self.upper
        wires = noise(_seeded(seed, alternate, 2), frames)
        wires = high_pass(low_pass(wires, self.wires_high_hz), self.wires_low_hz)
        wires = peak(wires, self.body_hz, self.body_db, 1.2)
        length = self.wires_ms * (0.8 + 0.2 * hardness)
        level = (1 - self.snap) * decay(frames, length)
        level = level + self.snap * hardness * decay(frames, _SNAP_MS)
        wires = wires * level * decibels(self.wires_db) * (0.6 + 0.4 * hardness) * 1.5
        return tones + wires


@dataclass(frozen=True, kw_only=True)
class Clap(Voice):
    """Band-passed noise in a few bursts, then a tail.

    Attributes:
        hertz, q: the band of the noise.
        bright_db, bright_hz: high-passed noise beside it.
        bursts, gap_ms, burst_ms: how many hands, how far apart, how long each.
        tail_db, tail_ms: what is left after the last.
    """

    longest_ms: float = 500
    hertz: float = 1100
    q: float = 1.2
    bright_db: float = -14
    bright_hz: float = 3500
    bursts: float = 3
    gap_ms: float = 10
    burst_ms: float = 5
    tail_db: float = -4
    tail_ms: float = 45

    def tone(self, hardness: float, alternate: int, seed: int) -> Signal:
        """The hands, one after the other."""
        frames = self.frames
        raw = noise(_seeded(seed, alternate, 3), frames)
        hands = high_pass(band_pass(raw, self.hertz * _hand(alternate), self.q), self.hertz / 3)
        hands = hands + high_pass(raw, self.bright_hz) * decibels(self.bright_db) * hardness
        level = np.zeros(frames)
        gaps = 1 + 0.12 * noise(_seeded(seed, alternate, 4), round(self.bursts))
        start = 0.0
        for gap in gaps:
            at = frames_of(start) - 1
            level[at:] = np.maximum(level[at:], decay(frames - at, self.burst_ms))
            start += self.gap_ms * gap
        tail = decay(frames - at, self.tail_ms * (0.8 + 0.2 * hardness))
        level[at:] = np.maximum(level[at:], tail * decibels(self.tail_db))
        return hands * level


@dataclass(frozen=True, kw_only=True)
class Metal(Voice):
    """Hats and cymbals: inharmonic square waves and noise, band-passed; a kit's hats share them.

    Attributes:
        hertz, spread: the lowest square wave, and how far apart they lie.
        air: share of noise, 0 to 1.
        band_low_hz, band_high_hz: 24 dB an octave off below, 12 above.
        ring_hz, ring_db: a resonance.
        attack_ms, decay_ms: how it comes and goes.
        snap: what the first moment has on top.
        bell_db, bell_hz, bell_ms: tones of a cymbal's bell.
        stick_db, stick_hz: the low knock of stick or foot.
    """

    longest_ms: float = 300
    hertz: float = 420
    spread: float = 1
    air: float = 0.5
    band_low_hz: float = 7000
    band_high_hz: float = 14_000
    ring_hz: float = 9000
    ring_db: float = 0
    attack_ms: float = 0.1
    decay_ms: float = 25
    snap: float = 0.3
    bell_db: float = -80
    bell_hz: float = 3100
    bell_ms: float = 200
    stick_db: float = -36
    stick_hz: float = 190

    def tone(self, hardness: float, alternate: int, seed: int) -> Signal:
        """The cymbals, and the stick or foot that moves them."""
        frames, hand = self.frames, _hand(alternate)
        squares = metal(frames, self.hertz * hand, self.spread, _seeded(seed, alternate, 5))
        air = noise(_seeded(seed, alternate, 6), frames)
        sound = squares * (1 - self.air) * 1.5 + air * self.air
        for _ in range(2):
            sound = high_pass(sound, self.band_low_hz)
        sound = low_pass(peak(sound, self.ring_hz, self.ring_db, 1.5), self.band_high_hz)
        length = self.decay_ms * (0.75 + 0.25 * hardness)
        level = decay(frames, length) + self.snap * hardness * decay(frames, _SNAP_MS)
        sound *= level * (1 - np.exp(-seconds(frames) * 1000 / self.attack_ms))
        sound /= np.abs(sound).max()
        if self.bell_db > -60:
            for part, ratio in enumerate((1.0, 1.43, 1.97, 2.61)):
                ring = resonator(frames, self.bell_hz * ratio * hand, self.bell_ms / (1 + part))
                sound += ring * decibels(self.bell_db - 4 * part)
        knock = resonator(frames, self.stick_hz, 9) * decibels(self.stick_db)
        return sound + knock


@dataclass(frozen=True, kw_only=True)
class Skin(Voice):
    """Toms and congas: a falling sine, its overtone, and the slap of the hand or stick.

    Attributes:
        hertz, drop, drop_ms, decay_ms: the tone, as a kick's.
        overtone, overtone_ratio: level and pitch of the second mode.
        slap_db, slap_hz, slap_ms: band-passed noise at the start.
        air_db: noise that rings with the skin.
    """

    longest_ms: float = 450
    hertz: float = 130
    drop: float = 1.5
    drop_ms: float = 30
    decay_ms: float = 110
    overtone: float = 0.2
    overtone_ratio: float = 1.59
    slap_db: float = -14
    slap_hz: float = 1800
    slap_ms: float = 5
    air_db: float = -40

    def tone(self, hardness: float, alternate: int, seed: int) -> Signal:
        """The skin, and the hand or stick on it."""
        frames = self.frames
        drop = 1 + (self.drop - 1) * (0.4 + 0.6 * hardness)
        body = gliding_sine(frames, self.hertz, drop, self.drop_ms) * decay(frames, self.decay_ms)
        second = gliding_sine(frames, self.hertz * self.overtone_ratio, drop, self.drop_ms)
        body += second * decay(frames, self.decay_ms * 0.5) * self.overtone * hardness
        raw = noise(_seeded(seed, alternate, 7), frames)
        slap = band_pass(raw, self.slap_hz, 1) * decay(frames, self.slap_ms)
        air = low_pass(high_pass(raw, 400), 4000) * decay(frames, self.decay_ms * 0.6)
        slap *= decibels(self.slap_db) * hardness**1.2 * 3
        return body + slap + air * decibels(self.air_db)


@dataclass(frozen=True, kw_only=True)
class Block(Voice):
    """Rim, clave and wood block: two short resonators and a click.

    Attributes:
        hertz, ratio, upper: the lower tone; the upper one, against it, and its level.
        decay_ms: how long they ring.
        click_db, click_hz: noise of the stroke.
    """

    longest_ms: float = 160
    hertz: float = 480
    ratio: float = 3.55
    upper: float = 0.9
    decay_ms: float = 9
    click_db: float = -8
    click_hz: float = 4500

    def tone(self, hardness: float, alternate: int, seed: int) -> Signal:
        """The wood, and the stick on it."""
        frames, hand = self.frames, _hand(alternate)
        sound = resonator(frames, self.hertz * hand, self.decay_ms)
        sound += resonator(frames, self.hertz * self.ratio * hand, self.decay_ms * 0.6) * self.upper
        click = band_pass(noise(_seeded(seed, alternate, 8), frames), self.click_hz, 0.8)
        return sound + click * decay(frames, 1.6) * decibels(self.click_db) * hardness * 3


@dataclass(frozen=True, kw_only=True)
class Bell(Voice):
    """Cowbell: two square waves through a band-pass, a short stroke and a longer ring.

    Attributes:
        hertz, ratio: the lower square wave; the upper one, against it.
        band_hz, q: the band-pass.
        stroke_ms, decay_ms, ring: the stroke; the ring after it, and its level.
    """

    longest_ms: float = 320
    hertz: float = 545
    ratio: float = 1.488
    band_hz: float = 1500
    q: float = 0.9
    stroke_ms: float = 8
    decay_ms: float = 75
    ring: float = 0.5

    def tone(self, hardness: float, alternate: int, seed: int) -> Signal:
        """The stroke, and the ring after it."""
        frames = self.frames
        sound = np.zeros(frames)
        for pitch in (self.hertz, self.hertz * self.ratio):
            sound += np.where((seconds(frames) * pitch) % 1 < 0.5, 1.0, -1.0)
        level = decay(frames, self.stroke_ms) + self.ring * decay(frames, self.decay_ms)
        return high_pass(band_pass(sound, self.band_hz, self.q), self.hertz * 0.8) * level


@dataclass(frozen=True, kw_only=True)
class Grains(Voice):
    """Shaker, cabasa and tambourine: noise that swells and falls, in grains, with jingles.

    Attributes:
        band_low_hz, band_high_hz: 24 dB an octave off below, 12 above.
        attack_ms, decay_ms: how it comes and goes.
        rough: how much single grains stick out, 0 to 1.
        grains_a_second: how many there are.
        jingle_db, jingle_hz: small cymbals that ring along.
    """

    longest_ms: float = 220
    band_low_hz: float = 4500
    band_high_hz: float = 13_000
    attack_ms: float = 14
    decay_ms: float = 28
    rough: float = 0.4
    grains_a_second: float = 900
    jingle_db: float = -80
    jingle_hz: float = 5200

    def tone(self, hardness: float, alternate: int, seed: int) -> Signal:
        """The grains, and the jingles around them."""
        frames = self.frames
        raw = noise(_seeded(seed, alternate, 9), frames)
        chance = np.abs(noise(_seeded(seed, alternate, 10), frames))
        struck = (chance < self.grains_a_second / SAMPLE_RATE_HZ).astype(np.float64)
        grains = low_pass(struck, 250) * SAMPLE_RATE_HZ / self.grains_a_second
        sound = raw * (1 - self.rough + self.rough * np.abs(grains))
        for _ in range(2):
            sound = high_pass(sound, self.band_low_hz)
        sound = low_pass(sound, self.band_high_hz)
        attack = self.attack_ms * (1.25 - 0.5 * hardness)
        rising = np.minimum(seconds(frames) * 1000 / attack, 1) ** 2
        level = rising * decay(frames, self.decay_ms, attack)
        sound *= level
        sound /= np.abs(sound).max()
        if self.jingle_db > -60:
            for part, ratio in enumerate((1.0, 1.21, 1.53, 1.87, 2.19)):
                pitch = self.jingle_hz * ratio * _hand(alternate)
                ring = resonator(frames, pitch, self.decay_ms * 2.2 / (1 + 0.3 * part))
                sound += ring * rising * decibels(self.jingle_db)
        return sound
