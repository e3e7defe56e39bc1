"""Builds our kits: ``python -m scripts.build_kits`` writes a SoundFont for each recipe."""

from __future__ import annotations

import argparse

from dj_core.files.storage import write_bytes_atomic
from dj_core.sound.kit_table import KITS, OUR_KITS
from dj_core.sound.kits.building import build
from dj_core.sound.kits.recipes import recipes


def main() -> None:
    """Write the files that are wanted."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [kit.name for kit in OUR_KITS]
    parser.add_argument("kits", nargs="*", metavar="KIT", help="default: every kit of ours")
    total = 0
    for name in parser.parse_args().kits or names:
        if name not in names:
            parser.error(f"{name} is no kit of ours; there are {', '.join(names)}")
        path = KITS[name].file
        assert path
        content = build(recipes()[name])
        write_bytes_atomic(path, content)
        total += len(content)
        print(f"{path.name}: {len(content):,} bytes")
    print(f"{total:,} bytes together")


if __name__ == "__main__":
    main()
