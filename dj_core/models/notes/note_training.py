"""Training of the notes family: presets, settings and the `Task` for the training loop."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dj_core.corpus.note_strings import NoteSong
from dj_core.errors import TrainingError
from dj_core.files.storage import sha256_of
from dj_core.models.checkpoint import ModelFacts
from dj_core.models.distributed import Ranks
from dj_core.models.notes.network_settings import NAME, TIME, WORD, NetworkSettings
from dj_core.models.notes.note_checkpoint import FAMILY, NoteCheckpoint, save_note_model
from dj_core.models.notes.note_tokenizer import (
    BAR_LINE,
    NotesSettings,
    NotesTokenizer,
    even_pieces,
    first_names,
    in_general_midi,
    looped_pieces,
    name_parts,
    prime_words,
    repeated_pieces,
    words_made_of,
)
from dj_core.models.request import GenerationRequest
from dj_core.models.trainer import Tally
from dj_core.music.beat import Beat, Meter

if TYPE_CHECKING:
    from torch import Tensor, nn

_NO_TARGET = -100  # torch's cross-entropy leaves these places out
_BATCHES_PER_POOL = 16  # of which pieces of like length are put together


# --- settings ---------------------------------------------------------------------------------

# The published systems' RMSprop forgets a tenth at each step (torch's own default is a hundredth)
# and adds eps to the root of the mean square. Lasagne adds 1e-6 under the root, which for a small
# gradient is 1e-3 beside it: this decides whether a deep network learns at a rate of .003.
_RMSPROP_EPS = {"rmsprop-keras": 1e-7, "rmsprop-lasagne": 1e-3}
OPTIMIZERS = ("adam", *_RMSPROP_EPS)  # 'adam' is AdamW


@dataclass(frozen=True)
class NoteTrainingSettings:
    """Everything that decides what a run of the notes family learns.

    Attributes:
        preset: name of the preset these settings started from.
        corpora: names of the corpora the songs come from, for the model card.
        durations, spelled, prime, times, ends: how songs become words; see `NotesSettings`.
        cell, layers, hidden, embedding, dropout: the network; see `NetworkSettings`.
        optimizer: one of `OPTIMIZERS`.
        learning_rate: the optimiser's, at its highest; over 0 to 1.
        learning_rate_end: share of it left in the last epoch, on half a cosine; 1 for constant.
        learning_rate_decay: what each epoch after the first `steady_epochs` multiplies it by.
        steady_epochs: epochs before that decay, 0 to 10,000.
        weight_decay: decoupled, as in AdamW; 0 is plain Adam.
        batch_size: songs per step, 1 to 1,024.
        gradient_clip: largest gradient norm; None for any.
        epochs: times through the training songs, 1 to 10,000.
        patience: epochs without a better validation loss after which to stop; None for never.
        longest: notes per song at most, 8 to 4,096; longer songs are cut into several.
        loop_bars: songs with durations are looped to so many bars at least, 1 to 64.
        loop_notes: other songs are repeated to so many notes at least, 1 (once through) to 4,096;
            None extends them cyclically to the length of the longest, as the paper did.
        all_data: train on every song and validate on none, as the paper did for its final songs.
        take_every_epochs: how often a take is kept to listen to; 0 for never.
        seed: decides the first weights, the order of songs and dropout.
        threads: CPU threads; another number gives slightly other weights.

    Raises:
        TrainingError: a value out of range.
    """

    preset: str = ""
    corpora: tuple[str, ...] = ()
    durations: bool = False
    spelled: bool = False
    prime: bool = False
    times: bool = False
    ends: bool = False
    cell: str = "lstm"
    layers: int = 2
    hidden: int = 32
    embedding: int | None = None
    dropout: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 0.001
    learning_rate_end: float = 1.0
    learning_rate_decay: float = 1.0
    steady_epochs: int = 0
    weight_decay: float = 0.0
    batch_size: int = 16
    gradient_clip: float | None = None
    epochs: int = 50
    patience: int | None = None
    longest: int = 1_024
    loop_bars: int = 8
    loop_notes: int | None = None
    all_data: bool = False
    take_every_epochs: int = 5
    seed: int = 1
    threads: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "corpora", tuple(self.corpora))  # JSON knows lists only
        if self.optimizer not in OPTIMIZERS:
            known = ", ".join(OPTIMIZERS)
            raise TrainingError(f"optimizer is one of {known}; got {self.optimizer!r}.")
        for name, (low, high) in (WHOLE_NUMBERS | REAL_NUMBERS).items():
            value, whole = getattr(self, name), name in WHOLE_NUMBERS
            if value is None and name in _MAY_BE_NONE:
                continue
            if type(value) not in ((int,) if whole else (int, float)) or not low <= value <= high:
                bounds = f"{low:,} to {high:,}" if whole else f"{low:g} to {high:g}"
                kind = "whole number" if whole else "number"
                raise TrainingError(f"{name} is a {kind} from {bounds}; got {value!r}.")


WHOLE_NUMBERS: dict[str, tuple[int, int]] = {
    "layers": (1, 6),
    "hidden": (1, 2_048),
    "embedding": (1, 2_048),
    "batch_size": (1, 1_024),
    "epochs": (1, 10_000),
    "patience": (1, 10_000),
    "longest": (8, 4_096),
    "loop_bars": (1, 64),
    "loop_notes": (1, 4_096),
    "steady_epochs": (0, 10_000),
    "take_every_epochs": (0, 10_000),
    "seed": (0, 2**31 - 1),
    "threads": (1, 64),
}
REAL_NUMBERS: dict[str, tuple[float, float]] = {
    "dropout": (0.0, 0.99),
    "learning_rate": (1e-6, 1.0),
    "learning_rate_end": (0.0, 1.0),
    "learning_rate_decay": (0.01, 1.0),
    "weight_decay": (0.0, 1.0),
    "gradient_clip": (1e-3, 1e3),
}
_MAY_BE_NONE = ("embedding", "patience", "gradient_clip", "loop_notes")

# The paper's three networks. The authors trained one song at a time (batch_size=1 is theirs); four
# at a time are faster and still few.
_PAPER = NoteTrainingSettings(epochs=50, batch_size=4)
_PRESETS = (
    replace(_PAPER, preset="paper-1x128", layers=1, hidden=128),
    replace(_PAPER, preset="paper-2x32", dropout=0.9),
    replace(_PAPER, preset="paper-2x32-slow", dropout=0.9, learning_rate=0.0005),
    NoteTrainingSettings(
        preset="notes-rhythm", durations=True, spelled=True, prime=True,
        hidden=192, embedding=64, dropout=0.5,
        learning_rate=0.004, learning_rate_end=0.02, weight_decay=0.01, gradient_clip=1.0,
        epochs=24, patience=6, longest=320, loop_bars=4,
    ),
    # the paper's notes in its own words, learned in seconds: songs once through instead of four
    # times over, several of like length at a time, at a rate that the clipped gradient allows;
    # benchmarks/speed/time_to_loss.py has how soon it is as good as the paper's best
    NoteTrainingSettings(
        preset="notes-quick", layers=1, hidden=128,
        learning_rate=0.006, learning_rate_end=0.05, gradient_clip=1.0, batch_size=8,
        epochs=8, patience=3, loop_notes=1,
    ),
    # the paper's own family put right; see docs/reproduction.md for what each change brings
    NoteTrainingSettings(
        preset="notes-best", times=True, prime=True,
        cell="pointing", hidden=256, embedding=128, dropout=0.4,
        learning_rate=0.003, learning_rate_end=0.02, weight_decay=0.02, gradient_clip=1.0,
        epochs=16, patience=5, longest=400, loop_notes=80,
    ),
    # the systems the paper cites. Skuli's network reads windows of 100 notes
    NoteTrainingSettings(
        preset="skuli-2017", cell="skuli", layers=3, hidden=512, embedding=256, dropout=0.3,
        optimizer="rmsprop-keras", batch_size=64, epochs=200, longest=101, loop_notes=1,
    ),
    NoteTrainingSettings(
        preset="folk-rnn-2016", prime=True, ends=True,
        cell="folk-rnn", layers=3, hidden=512, dropout=0.5,
        optimizer="rmsprop-lasagne", learning_rate=0.003, learning_rate_decay=0.97,
        steady_epochs=20,
        batch_size=64, gradient_clip=5.0, epochs=100, loop_notes=1,
    ),
    # other cells in the set-up of the paper's 1 × 128, so that nothing but the cell differs
    *(
        replace(_PAPER, preset=f"{cell}-1x128", cell=cell, layers=1, hidden=128)
        for cell in ("gru", "rnn", "res-rnn")
    ),
)  # fmt: skip
NOTE_PRESETS = {settings.preset: settings for settings in _PRESETS}


# --- the task ---------------------------------------------------------------------------------


class NoteTask:
    """What the notes family adds to the training loop; see `trainer.Task`."""

    family = FAMILY
    last_stage, last_stage_steps = "", 0.0

    def __init__(
        self, settings: NoteTrainingSettings, songs: Sequence[NoteSong], ranks: Ranks
    ) -> None:
        """Raises TrainingError where there are no songs."""
        import torch

        from dj_core.models.notes.note_network import build_network
        from dj_core.models.notes.pointer_network import PointingNetwork

        self.settings, self.ranks = settings, ranks
        self.data = _Data(settings, songs)
        self.note = self.data.note
        files = sha256_of(repr([song.file_id for song in self.data.train_songs]).encode())
        vocabulary = self.data.tokenizer.vocabulary
        self.material_sha256 = sha256_of((vocabulary.sha256 + files).encode())
        parts = name_parts(self.data.tokenizer)
        shape = NetworkSettings(
            vocabulary_size=len(vocabulary),
            cell=settings.cell,
            layers=settings.layers,
            hidden=settings.hidden,
            embedding=settings.embedding,
            dropout=settings.dropout,
            parts=len(parts) if settings.cell == "pointing" else 0,
        )
        self.network = build_network(shape, settings.seed)
        if isinstance(self.network, PointingNetwork):
            tokenizer = self.data.tokenizer
            heard = {id_ for song in self.data.train_songs for id_ in tokenizer.encode_song(song)}
            known = [id_ in heard for id_ in range(len(vocabulary))]
            # a name and its time are read as one
            roles = [
                WORD if not word.is_music or not settings.times else NAME if word.name else TIME
                for word in tokenizer.words
            ]
            made_of = words_made_of(tokenizer, parts)
            self.network.learn_words(*map(torch.tensor, (made_of, known, roles)))
        self.network.to(ranks.device)
        given = (self.network.parameters(), settings.learning_rate)
        decay = settings.weight_decay
        self.optimizer: torch.optim.Optimizer
        if settings.optimizer == "adam":
            self.optimizer = torch.optim.AdamW(*given, weight_decay=decay)
        else:
            eps = _RMSPROP_EPS[settings.optimizer]
            self.optimizer = torch.optim.RMSprop(*given, alpha=0.9, eps=eps, weight_decay=decay)
        self._batches: tuple[int, list[list[_Piece]]] = (0, [])

    def steps(self, epoch: int) -> int:
        """Batches of songs in an epoch."""
        return len(self._batches_of(epoch))

    def learning_rate(self, epoch: int, step: int) -> float:
        """Half a cosine over the epochs, from the full rate to `learning_rate_end` of it.

        Where a decay is asked for, it goes on top, epoch by epoch.
        """
        settings = self.settings
        done = (epoch - 1) / max(settings.epochs - 1, 1)
        share = settings.learning_rate_end
        share += (1 - share) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
        decayed = max(0, epoch - 1 - settings.steady_epochs)
        return settings.learning_rate * share * settings.learning_rate_decay**decayed

    def loss(self, epoch: int, step: int) -> tuple[Tensor | None, Tally]:
        """The mean loss per note of a batch of songs; see `trainer.Task`."""
        import torch

        batch = self._batches_of(epoch)[step]
        with torch.random.fork_rng(devices=[]):
            # each process drops units of its own
            rank = () if self.ranks.leads else (self.ranks.rank,)
            torch.manual_seed(_mixed(self.settings.seed, epoch, step, *rank))
            share = self.ranks.share(batch)
            loss, tally = _score(self.network, share) if share else (None, Tally())
        if self.ranks.count > 1:
            summed, right, notes = self.ranks.summed([tally.loss, tally.right, tally.count])
            tally = Tally(summed, right, int(notes))
        return (None if loss is None else loss / max(tally.count, 1)), tally

    def validate(self) -> dict[str, float] | None:
        """Loss and accuracy over the validation songs; None without any."""
        return self.data.validate(self.network)

    def results(
        self, epoch: int, train: Tally, validated: dict[str, float] | None
    ) -> dict[str, Any]:
        """Losses, accuracies and what knows next to nothing scores on the same notes."""
        results = {
            "epoch": epoch,
            "train_loss": train.mean_loss,
            "train_accuracy": train.accuracy,
            "songs": len(self.data.train_songs),
            **self.data.reference_results,
        }
        if validated is not None:
            results["validation_loss"] = validated["loss"]
            results["validation_accuracy"] = validated["accuracy"]
            results["validated_on"] = self.data.validated_on
        return results

    def save_model(self, folder: Path, results: dict[str, Any]) -> None:
        """Write the model as it is now. Raises LibraryError."""
        network = deepcopy(self.network).cpu()
        save_note_model(folder, network, self.data.tokenizer, self._facts(results))

    def play(self, name: str, bars: int, seed: int) -> Beat:
        """A take in the meter most songs are in."""
        from dj_core.models.notes.note_player import NotesModel

        checkpoint = NoteCheckpoint.of(self.network, self.data.tokenizer, self._facts({}))
        request = GenerationRequest(bars=bars, meter=self.data.meter, seed=seed)
        return NotesModel(name, checkpoint).generate(request).beat

    def finish(self, model_folder: Path) -> Iterator[float]:
        """Nothing remains to be done."""
        yield from ()

    def state(self) -> dict[str, Any]:
        """Nothing beyond epoch and step: all is drawn from them."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Nothing to go back to."""

    def _batches_of(self, epoch: int) -> list[list[_Piece]]:
        if self._batches[0] != epoch:
            self._batches = epoch, self.data.batches(epoch)
        return self._batches[1]

    def _facts(self, results: dict[str, Any]) -> ModelFacts:
        return ModelFacts(
            preset=self.settings.preset,
            corpora=self.settings.corpora,
            settings=asdict(self.settings),
            results=results,
            start_notes=self.data.start_notes,
        )


def _mixed(*numbers: int) -> int:
    """One seed from several numbers, well spread."""
    return int.from_bytes(sha256_of(repr(numbers).encode()).encode()[:7], "big")


# --- songs as tensors -------------------------------------------------------------------------

_Piece = tuple["Tensor", "Tensor"]
"""What the network reads and, one place on, what it should have guessed."""


class _Data:
    """The songs of a run, as pieces the network can read."""

    def __init__(self, settings: NoteTrainingSettings, songs: Sequence[NoteSong]) -> None:
        """Songs by split, under one vocabulary. Raises TrainingError without any."""
        songs = [song for song in songs if song.events]
        if not songs:
            raise TrainingError("There are no songs to train on. Choose another corpus.")
        if len({song.drum_map for song in songs}) > 1:
            # the same note means different drums: one name for each is needed
            songs = [in_general_midi(song) for song in songs]
        words = NotesSettings(
            settings.durations, settings.spelled, settings.prime, songs[0].drum_map,
            settings.times, settings.ends,
        )  # fmt: skip
        self.settings = settings
        # as in the paper the vocabulary is that of all songs, held-out ones too
        self.tokenizer = NotesTokenizer.for_songs(words, songs)
        self.note, self.validated_on = "", "validation"
        train = [song for song in songs if song.split == "train"] or songs
        validation = [song for song in songs if song.split == "validation"]
        if settings.all_data:
            train, validation = songs, []
        elif not validation or train is songs:
            validation = train
            self.validated_on = "train"
            self.note = (
                "The corpus is too small for validation songs of its own: the validation loss is "
                "measured on the training songs."
            )
        self.train_songs = train
        self.start_notes = first_names(train)[:200]
        self.train = self._pieces(train)
        self.validation = self._pieces(validation)
        self.reference_results = (
            {"references": references(self.train, self.validation)} if self.validation else {}
        )

    @property
    def meter(self) -> Meter:
        """The meter most songs are in."""
        quarters = Counter(song.bar_quarters for song in self.train_songs).most_common(1)[0][0]
        return Meter(round(quarters), 4) if quarters % 1 == 0 else Meter(round(quarters * 8), 8)

    def batches(self, epoch: int) -> list[list[_Piece]]:
        """The training pieces in this epoch's order, pieces of like length together."""
        import torch

        size = self.settings.batch_size
        generator = torch.Generator().manual_seed(_mixed(self.settings.seed, epoch))
        order = torch.randperm(len(self.train), generator=generator).tolist()
        pool = size * _BATCHES_PER_POOL
        batches = []
        for start in range(0, len(order), pool):
            alike = sorted(order[start : start + pool], key=lambda index: len(self.train[index][0]))
            batches += [alike[first : first + size] for first in range(0, len(alike), size)]
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return [[self.train[index] for index in batches[place]] for place in shuffled]

    def validate(self, network: nn.Module) -> dict[str, float] | None:
        """Loss and accuracy over the validation songs; None without any."""
        import torch

        if not self.validation:
            return None
        network.eval()
        tally = Tally()
        size = self.settings.batch_size
        with torch.inference_mode():
            for start in range(0, len(self.validation), size):
                tally = tally + _score(network, self.validation[start : start + size])[1]
        return {"loss": tally.mean_loss, "accuracy": tally.accuracy}

    def _pieces(self, songs: list[NoteSong]) -> list[_Piece]:
        import torch

        if not songs:
            return []
        settings, words = self.settings, self.tokenizer.settings
        encoded = [self.tokenizer.encode_song(song) for song in songs]
        pieces: list[list[int]] = []
        if not settings.durations and settings.loop_notes is None:
            pieces = even_pieces(encoded, settings.longest)
        else:
            for song, ids in zip(songs, encoded, strict=True):
                primes = len(prime_words(song.genre, song.kind, song.bar_quarters, words))
                prime, body = ids[:primes], ids[primes : len(ids) - words.ends]
                if settings.durations:
                    bar_line = self.tokenizer.vocabulary.ids[BAR_LINE]
                    longest = settings.longest
                    pieces += looped_pieces(prime, body, bar_line, settings.loop_bars, longest)
                else:
                    least = (settings.loop_notes or 1) * (2 if words.times else 1)
                    end = ids[len(ids) - words.ends :]
                    pieces += repeated_pieces(prime, body, end, least, settings.longest)
        guessed = torch.tensor([word.is_guessed for word in self.tokenizer.words])
        result = []
        for piece in pieces:
            read, targets = torch.tensor(piece[:-1]), torch.tensor(piece[1:])
            result.append((read, targets.masked_fill(~guessed[targets], _NO_TARGET)))
        return result


def _score(network: nn.Module, batch: Sequence[_Piece]) -> tuple[Tensor, Tally]:
    """The summed loss over a batch, and its tally."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils.rnn import pad_sequence

    inputs = pad_sequence([piece[0] for piece in batch], batch_first=True)
    targets = pad_sequence(
        [piece[1] for piece in batch], batch_first=True, padding_value=_NO_TARGET
    )
    device = next(network.parameters()).device
    inputs, targets = inputs.to(device), targets.to(device)
    logits, _ = network(inputs)
    logits, targets = logits.flatten(0, 1), targets.flatten()
    loss = cross_entropy(logits, targets, reduction="sum", ignore_index=_NO_TARGET)
    with torch.no_grad():  # the highest score: several times faster than asking where it is
        chosen = logits.gather(1, targets.clamp(min=0)[:, None])[:, 0]
        right = (chosen == logits.amax(-1)) & (targets != _NO_TARGET)
    count = int((targets != _NO_TARGET).sum())
    return loss, Tally(float(loss.detach()), int(right.sum()), count)


def references(
    train: Sequence[_Piece], validation: Sequence[_Piece]
) -> dict[str, dict[str, float]]:
    """What knows next to nothing scores on the same notes: to be read beside a network's results.

    'always-the-commonest' guesses the training songs' commonest word every time (in the paper's
    corpus: the rest) and has the loss of their word frequencies; 'bigram' knows the word before,
    smoothed by Witten and Bell's method.
    """
    counts: Counter[int] = Counter()
    followers: dict[int, Counter[int]] = {}
    for before, after in _pairs(train):
        counts[after] += 1
        followers.setdefault(before, Counter())[after] += 1
    total = counts.total()
    words = len(counts) + 1  # one more for all that never occurred
    commonest = counts.most_common(1)[0][0]
    single, double = Tally(), Tally()
    for before, after in _pairs(validation):
        alone = (counts[after] + len(counts) / words) / (total + len(counts))
        single = single + Tally(-math.log(alone), int(after == commonest), 1)
        known = followers.get(before, Counter())
        after_this = (known[after] + len(known) * alone) / max(known.total() + len(known), 1)
        guess = known.most_common(1)[0][0] if known else commonest
        double = double + Tally(-math.log(after_this or alone), int(after == guess), 1)
    return {
        name: {"loss": tally.mean_loss, "accuracy": tally.accuracy}
        for name, tally in (("always-the-commonest", single), ("bigram", double))
    }


def _pairs(pieces: Sequence[_Piece]) -> Iterator[tuple[int, int]]:
    for inputs, targets in pieces:
        pairs = zip(inputs.tolist(), targets.tolist(), strict=True)
        yield from ((before, after) for before, after in pairs if after != _NO_TARGET)
