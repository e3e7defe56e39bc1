"""What a DJ did with beats, kept as one JSON file in the DJ's folder: kept, skipped, rated, edited.

One beat is one judgement, whatever was done to it. A file is written whole or not at all, by one
process at a time; nothing in it ever leaves the machine by itself.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from dj_core.errors import LibraryError
from dj_core.files.beat_json import beat_key
from dj_core.files.records import json_of, record_of
from dj_core.files.storage import one_at_a_time, write_json_atomic
from dj_core.host.limits import LIMITS
from dj_core.host.read_only import check_may_change
from dj_core.music.beat import Beat
from dj_core.music.traits import usual_name
from dj_core.taste.heard import TRAITS, heard_in

FOLDER, OWN = "taste", "own"
FORMAT, VERSION = "digital-dj-taste", 1
DEEDS = ("keep", "download", "edit", "replay", "skip", "stars")
MOST_JUDGEMENTS = 500  # the oldest makes room; by then it counts next to nothing
MOST_BYTES = 4_000_000
MOST_WEIGHT = 3.0  # of a trait that a DJ sets by hand
_WHO = re.compile(rf"{OWN}|[0-9a-f]{{32}}")
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Judgement:
    """What became of one beat.

    Attributes:
        beat: its `beat_key`.
        name: what it is called in lists.
        genre: '' where it has none.
        heard: the traits' numbers by name, see `heard`.
        deeds: what was done, by a name of `DEEDS`: how often, or how many stars (1 to 5).
        at: when the last of it was done, seconds since 1970.
        said: what the DJ says themselves, over all that was done; None where nothing was said.

    Raises:
        LibraryError: a value out of range.
    """

    beat: str
    name: str
    genre: str
    heard: dict[str, float]
    deeds: dict[str, int]
    at: float
    said: bool | None = None

    def __post_init__(self) -> None:
        fits = _KEY.fullmatch(self.beat) and len(self.name) <= 200 and len(self.genre) <= 100
        fits = fits and self.deeds.keys() <= set(DEEDS) and 0 <= self.at < 2**36
        fits = fits and all(number >= 0 for number in self.deeds.values())
        fits = fits and self.heard.keys() == {trait.name for trait in TRAITS}
        if not fits or not all(abs(number) <= 1e3 for number in self.heard.values()):
            raise LibraryError(f"The judgement of {self.name[:40]!r} holds values that cannot be.")

    @property
    def verdict(self) -> tuple[bool, float]:
        """Whether the beat is liked, and how much that counts, 0 to 1.5.

        What was said comes first, then stars, then keeping and downloads, edits, replays, skips.
        """
        stars = self.deeds.get("stars", 0)
        if self.said is not None:
            return self.said, 1.5
        if stars:
            return stars > 3, {1: 1.5, 2: 1.0, 3: 0.0, 4: 1.0}.get(stars, 1.5)
        for deed, weight in (("keep", 1.0), ("download", 1.0), ("edit", 0.6), ("replay", 0.5)):
            if self.deeds.get(deed):
                return True, weight
        return False, 0.7 if self.deeds.get("skip") else 0.0


@dataclass(frozen=True)
class Taste:
    """Everything that was noted of one DJ.

    Attributes:
        judgements: one a beat, the latest last.
        weights: traits whose weight the DJ has set by hand, -3 to 3; see `preference`.
        more_me: how much of the taste is in what is drawn, in percent.

    Raises:
        LibraryError: a weight of no trait, or a value out of range.
    """

    judgements: tuple[Judgement, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    more_me: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.more_me <= 100:
            raise LibraryError(f"More me is 0 to 100%; got {str(self.more_me)[:40]}.")
        if self.weights.keys() - {trait.name for trait in TRAITS} or not all(
            math.isfinite(weight) and abs(weight) <= MOST_WEIGHT for weight in self.weights.values()
        ):
            raise LibraryError(
                f"A weight is of a trait and -{MOST_WEIGHT:g} to {MOST_WEIGHT:g}; got "
                f"{str(self.weights)[:80]}."
            )

    def of(self, beat: Beat) -> Judgement | None:
        """What is known of exactly this beat."""
        key = beat_key(beat)
        return next((one for one in self.judgements if one.beat == key), None)

    def noted(self, beat: Beat, deed: str, stars: int = 1) -> Taste:
        """With one deed more. A beat in a meter that cannot be compared changes nothing."""
        heard = heard_in(beat)
        if heard is None or deed not in DEEDS:
            return self
        known = self.of(beat)
        deeds = dict(known.deeds) if known else {}
        deeds[deed] = stars if deed == "stars" else deeds.get(deed, 0) + 1
        name = (known.name if known else usual_name(beat))[:200]
        said = known.said if known else None
        new = Judgement(beat_key(beat), name, beat.genre[:100], heard, deeds, time.time(), said)
        return self.with_judgement(new)

    def with_judgement(self, new: Judgement) -> Taste:
        """With a judgement in the place of what was known of its beat, as the latest."""
        others = tuple(one for one in self.judgements if one.beat != new.beat)
        return replace(self, judgements=(*others, new)[-MOST_JUDGEMENTS:])

    def said(self, beat: str, liked: bool | None) -> Taste:
        """With a beat's judgement put right by the DJ, in its place; None takes that back."""
        return replace(
            self,
            judgements=tuple(
                replace(one, said=liked) if one.beat == beat else one for one in self.judgements
            ),
        )

    def without(self, beat: str) -> Taste:
        """Without the judgement of one beat."""
        return replace(self, judgements=tuple(o for o in self.judgements if o.beat != beat))

    def to_json(self) -> Mapping[str, object]:
        """As JSON-able values, for `taste_from_json`."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}


def taste_from_json(content: bytes) -> Taste:
    """A taste from an exported file. Raises LibraryError for anything else."""
    try:
        if len(content) > MOST_BYTES:
            raise ValueError("it is too large")
        told = json_of(content)
        if not isinstance(told, dict) or (told.pop("format", ""), told.pop("version", 0)) != (
            FORMAT,
            VERSION,
        ):
            raise ValueError("it was not exported by this version of Digital DJ")
        taste = record_of(Taste, told)
    except (ValueError, OverflowError) as error:
        raise LibraryError(f"This file holds no taste: {error}.") from error
    if len({one.beat for one in taste.judgements}) != len(taste.judgements):
        raise LibraryError("This file holds no taste: it judges one beat twice.")
    return replace(taste, judgements=taste.judgements[-MOST_JUDGEMENTS:])


@dataclass(frozen=True)
class TasteFile:
    """One DJ's taste on disk; there is no file before the first change.

    Attributes:
        home: the DJ's folder.
        who: 'own', or 32 hexadecimal digits.

    Raises:
        LibraryError: `who` is neither.
    """

    home: Path
    who: str = OWN

    def __post_init__(self) -> None:
        if not _WHO.fullmatch(self.who):
            raise LibraryError(f"{self.who[:40]!r} is nobody's taste.")

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.home / FOLDER / f"{self.who}.json"

    @property
    def written(self) -> int:
        """When it was last written, in nanoseconds; 0 for never. A change changes it."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def read(self) -> Taste:
        """The taste as it is now. Raises LibraryError where it is damaged."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Taste()
        except OSError as error:
            raise LibraryError(f"Your taste cannot be read: {error.strerror}.") from error
        try:
            return taste_from_json(content)
        except LibraryError as error:
            raise LibraryError(f"Your taste is damaged. {error} Reset it to begin anew.") from error

    def change(self, how: Callable[[Taste], Taste]) -> Taste:
        """Read, change and write in one step; returns what is written.

        Raises:
            LibraryError: read-only mode, a damaged file, or one that cannot be written.
        """
        check_may_change("your taste")
        with one_at_a_time(self.path.with_name(".lock")):
            before = self.read()
            after = how(before)
            if after != before or not self.path.exists():
                self._make_room()
                write_json_atomic(self.path, after.to_json())
        return after

    def reset(self) -> None:
        """Delete everything that was learned. Raises LibraryError in read-only mode."""
        check_may_change("your taste")
        with one_at_a_time(self.path.with_name(".lock")):
            self.path.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Forget visitors' tastes beyond those that are kept, the longest unused first."""
        if self.path.exists():
            return
        others = [path for path in self.path.parent.glob("*.json") if path.stem != OWN]
        others.sort(key=lambda path: path.stat().st_mtime)
        for path in others[: max(0, len(others) + 1 - LIMITS.sessions_kept)]:
            path.unlink(missing_ok=True)
