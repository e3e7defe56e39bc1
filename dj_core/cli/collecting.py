"""The verbs bridge and collection: from one track to another, and parts for a DJ's own tracks."""

from __future__ import annotations

import argparse
from pathlib import Path

from dj_core.cli.verb import Answer, option, positive, say, verb
from dj_core.music.genres import GENRE


@verb(
    "bridge",
    option("a", type=Path, help="the track that plays"),
    option("b", type=Path, help="the track that comes"),
    option("--out", type=Path, required=True, help="folder for the files"),
    option("--bars", type=positive, default=8, help="length (default 8)"),
    option("--seed", type=int, default=1),
    option("--kit", help="as `kits` lists it (default: that of B's style)"),
)
def bridge_tracks(options: argparse.Namespace) -> Answer:
    """Write drums that lead from one track to another: groove and tempo glide."""
    from dj_core.files.file_names import safe_stem
    from dj_core.library.library import Library
    from dj_core.listening.listening import listen
    from dj_core.matching.bridging import bridge, falls_and_rises, save_bridge
    from dj_core.matching.takes_for_track import takes_for
    from dj_core.models.families import load_model

    model = load_model(Library.open().model(None).folder)
    one, other = (
        takes_for(listen(path), model, count=1, seed=options.seed)[0].beat
        for path in (options.a, options.b)
    )
    made = bridge(one, other, options.bars)
    kit = options.kit or (GENRE[other.genre].kit if other.genre in GENRE else "standard")
    name = f"{safe_stem(options.a.stem) or 'a'}_to_{safe_stem(options.b.stem) or 'b'}.mid"
    paths = save_bridge(made, options.out / name, kit)
    say(f"{one.tempo_bpm:.2f} to {other.tempo_bpm:.2f} BPM in {options.bars} bars: {paths[1]}")
    return {
        "files": [str(path) for path in paths],
        "bars": options.bars,
        "first_tempo_bpm": 60 / made.beat_seconds[0],
        "last_tempo_bpm": 60 / made.beat_seconds[-1],
        "seconds_long": made.duration_seconds,
        "from_a": [round(away, 4) for away in made.from_a],
        "to_b": [round(left, 4) for left in made.to_b],
        "monotone": falls_and_rises(made),
    }


@verb(
    "collection",
    option("file", type=Path, help="a rekordbox XML file"),
    option("--out", type=Path, help="folder for intro, loop and outro of the chosen tracks"),
    option("--track", action="append", default=[], help="a TrackID; may be given several times"),
    option("--playlist", help="all tracks of a playlist"),
    option("--seed", type=int, default=1),
)
def use_collection(options: argparse.Namespace) -> Answer:
    """Read a rekordbox collection; write an intro, a loop and an outro for chosen tracks."""
    from dj_core.errors import SetError
    from dj_core.library.library import Library
    from dj_core.matching.collection import read_collection, save_parts
    from dj_core.models.families import load_model

    collection = read_collection(options.file)
    chosen = list(options.track)
    if options.playlist is not None:
        if options.playlist not in collection.playlists:
            names = ", ".join(collection.playlists) or "none"
            raise SetError(f"There is no playlist {options.playlist!r}. Playlists: {names}.")
        chosen += collection.playlists[options.playlist]
    files: list[str] = []
    if chosen:
        if options.out is None:
            raise SetError("Say with --out where the files shall go.")
        model = load_model(Library.open().model(None).folder)
        chosen = list(dict.fromkeys(chosen))
        paths = save_parts(collection, tuple(chosen), model, options.out, options.seed)
        files = [str(path) for path in paths]
        for file in files:
            say(file)
    else:
        for track in collection.tracks.values():
            tempo = "no tempo" if track.tempo_bpm is None else f"{track.tempo_bpm:.2f} BPM"
            say(f"{track.identity}: {track.artist} - {track.name}, {tempo}")
    return {
        "tracks": len(collection.tracks),
        "playlists": {name: len(keys) for name, keys in collection.playlists.items()},
        "chosen": chosen,
        "files": files,
    }
