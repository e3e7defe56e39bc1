"""The likelihood of held-out clips under a model, in the units of its family.

A groove model scores the hits of every 16th, their velocity and their timing. A model of note
strings knows neither 16ths nor velocity; it is asked for the bits of its own words, per note,
chord or rest of the file. The two are different quantities and have different names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dj_core.corpus.note_strings import NoteSong, note_songs
from dj_core.evaluation.references import Reference
from dj_core.models.groove.training_clips import ClipSet, clip_of
from dj_core.models.notes.note_tokenizer import in_general_midi, song_words
from dj_core.models.request import BeatModel
from dj_core.models.threads import cpu_threads

if TYPE_CHECKING:
    from dj_core.models.groove.groove_likelihood import Bits
    from dj_core.models.notes.note_player import NotesModel

PIECE_WORDS = 1_024  # read at once; longer songs begin anew, as in training


@dataclass(frozen=True)
class Surprise:
    """Bits of held-out performances; None where a family has no such thing.

    Attributes:
        hits_per_step: nine classes, per 16th, as `metrics.likelihood` counts them.
        hits_per_step_without_style: the same when the bars already over may not say what kind of
            drummer plays.
        lanes_per_step: all sixteen lanes, per 16th.
        velocity_per_hit, timing_per_hit, flams_per_hit: per stroke.
        total_per_bar: lanes, velocity, timing and flams together.
        words_per_note: of a model of note strings, per note, chord or rest.
        unknown_words: share of words that such a model never learned; they are left out.
        notes: notes, chords and rests that were counted.
    """

    hits_per_step: float | None = None
    hits_per_step_without_style: float | None = None
    lanes_per_step: float | None = None
    velocity_per_hit: float | None = None
    timing_per_hit: float | None = None
    flams_per_hit: float | None = None
    total_per_bar: float | None = None
    words_per_note: float | None = None
    unknown_words: float | None = None
    notes: int | None = None


def surprise_of(model: BeatModel, reference: Reference) -> Surprise:
    """The model's bits of the reference's held-out 4/4 performances.

    Nothing for a model of another family: what it expects is measured nowhere yet.
    """
    from dj_core.models.groove.groove_likelihood import bits_of
    from dj_core.models.groove.groove_player import GrooveModel
    from dj_core.models.notes.note_player import NotesModel

    if isinstance(model, NotesModel):
        return _notes_surprise(model, reference)
    if not isinstance(model, GrooveModel):
        return Surprise()
    # performances once through, as the n-grams beside them hear them: a loop that is repeated
    # foretells itself
    clips = [
        clip_of(beat, file.kind, corpus.name)
        for corpus, file in reference.held_out_files()
        if (beat := corpus.beat(file)).hits
    ]
    heard = ClipSet.of(clips, model.settings.genres)
    with cpu_threads(1):
        network, scale = model.checkpoint.network, model.tables.scale
        bits: Bits = bits_of(network, scale, heard)
        bare: Bits = bits_of(network, scale, heard, with_past_style=False)
    return Surprise(
        hits_per_step=bits.hits_per_step,
        hits_per_step_without_style=bare.hits_per_step,
        lanes_per_step=bits.lanes_per_step,
        velocity_per_hit=bits.velocity_per_hit,
        timing_per_hit=bits.offset_per_hit,
        flams_per_hit=bits.second_per_hit,
        total_per_bar=bits.total_per_bar,
    )


def _notes_surprise(model: NotesModel, reference: Reference) -> Surprise:
    """Nothing where the files' notes are numbered otherwise than the model learned them."""
    import torch
    from torch.nn.functional import cross_entropy

    known_map = model.tokenizer.settings.drum_map
    held_out = {(corpus.name, file.id) for corpus, file in reference.held_out_files()}
    songs: list[NoteSong] = []
    for corpus in reference.corpora:
        for song in note_songs(corpus):
            if known_map == "general-midi":
                song = in_general_midi(song)
            if (corpus.name, song.file_id) in held_out and song.drum_map == known_map:
                songs.append(song)
    if not songs:
        return Surprise()
    ids = model.tokenizer.vocabulary.ids
    bits, unknown, words, notes = 0.0, 0, 0, 0
    with torch.inference_mode(), cpu_threads(1):
        for song in songs:
            written = song_words(song, model.tokenizer.settings)
            known = [ids[word] for word in written if word in ids]
            unknown += len(written) - len(known)
            words += len(written)
            notes += len(song.events)
            # each word given all before it; a song's primes are told, not guessed
            guessed = torch.tensor([model.tokenizer.words[id_].is_guessed for id_ in known[1:]])
            for first in range(0, len(known) - 1, PIECE_WORDS):
                read = torch.tensor(known[first : first + PIECE_WORDS + 1])
                logits, _ = model.checkpoint.network(read[None, :-1])
                nats = cross_entropy(logits[0], read[1:], reduction="none")
                counted = nats[guessed[first : first + PIECE_WORDS]]
                bits += float(counted.sum()) / math.log(2)
    return Surprise(words_per_note=bits / max(notes, 1), unknown_words=unknown / words, notes=notes)
