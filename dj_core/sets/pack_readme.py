"""The README of a pack: its contents and how to load them in each program."""

from __future__ import annotations

from collections.abc import Sequence

from dj_core.files.file_names import one_line
from dj_core.sets.pack_sheet import clock, slot_facts
from dj_core.sets.set_names import slot_title
from dj_core.sets.set_plan import SetList

_PLACED = """\
   rekordbox.xml is written for {folder}
   Unpack the zip there. If it ever lies elsewhere, run relocate first:"""

_UNPLACED = """\
   rekordbox finds files by their full address, so tell it once where this folder is
   (and again whenever you move it):"""

_TEXT = """\
{name}
{line}
{facts}

{slots}

REKORDBOX
{placed}
     Mac: double-click relocate.command    Windows: double-click relocate.bat
     Linux: sh relocate.command            (relocate.py does the same in Python)
   Then Preferences > Advanced > Database > rekordbox xml: choose rekordbox.xml here.
   The tree shows "rekordbox xml": drag the playlists over. Tempo, beat grid and a loop over
   the whole track come along. Engine DJ and Lexicon are reported to read the same file.

SERATO, TRAKTOR, ENGINE DJ, VIRTUALDJ
   Drag the folder loops, or the .m3u8 playlist, onto the program. The tempo is in every file.

ABLETON LIVE, LOGIC, REAPER, MPC
   Drag files from midi or loops onto a track. Every loop has its exact number of bars and starts
   on one; tempo and loop points are in the file.

FOLDERS
   loops           each beat as a seamless loop, at the tempo it has in the set
   kick-and-hats   the same loops thinned out, for mixing in and out
   fills           a bar to end a phrase with
   stems           the loops by drum group; played together they are the loop
   midi            every beat, and the whole set with its tempos and a marker per section
{mix}{kits}   set-list.pdf    the set on paper
"""


def readme_text(
    planned: SetList, folder: str, mix: bool, levels: Sequence[str], kits: bool = False
) -> bytes:
    """README.txt, with the line ends that every system shows; `levels`: how loud each loop is."""
    name = planned.settings.name
    slots = "\n".join(
        f"   {clock(start):>8}  {slot_title(planned, number)}  ({slot_facts(planned, number)})\n"
        f"             {level}"
        for number, (start, level) in enumerate(zip(planned.start_seconds, levels, strict=True))
    )
    text = _TEXT.format(
        name=name,
        line="=" * len(name),
        facts=f"{len(planned.slots)} beats, {clock(planned.duration_seconds)}",
        slots=slots,
        placed=_PLACED.format(folder=one_line(folder)) if folder else _UNPLACED,
        mix="   mix             the whole set as one file, with a cue sheet\n" if mix else "",
        kits="   kits            your own kits: .sf2 for a sampler, .zip for another Digital DJ\n"
        if kits
        else "",
    )
    return text.replace("\n", "\r\n").encode("utf-8-sig")
