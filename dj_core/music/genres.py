"""The one table of genres: what each is called, how fast and how swung it is, what it must sound.

Dance styles come first, family by family; genres learned from drummers follow. What a style must
and must not sound is data (`Rule`), which tests, the composer of training phrases and
``evaluate --floor`` read. Sources for the rules: docs/styles.md.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

BEATS = (0, 4, 8, 12)
BACKBEATS = (4, 12)
OFFBEATS = (2, 6, 10, 14)
EIGHTHS = (0, 2, 4, 6, 8, 10, 12, 14)
ALL = tuple(range(16))
TRESILLO = (0, 3, 6, 8, 11, 14)  # 3-3-2, twice a bar
DEMBOW = (3, 6, 11, 14)  # the snares of the dembow rhythm

ROLES = ("intro", "groove", "build", "break", "drop", "outro")
"""What a phrase is for in a track."""
MOST_ENERGY = 5  # of a phrase, from 1

KICK = ("kick",)
SNARES = ("snare", "clap", "side_stick")
HATS = ("closed_hat", "open_hat", "pedal_hat", "ride")
SHAKERS = ("shaker", "tambourine")
HAND_DRUMS = ("conga", "cowbell", "low_tom", "mid_tom", "high_tom")


@dataclass(frozen=True)
class Rule:
    """What a style must or must not sound.

    Attributes:
        says: the rule in words, to stand after "must have" or "must not have".
        drums: any of these satisfies it, by their names in the drum table.
        steps: 16ths of a 4/4 bar, 0 to 15.
        least, most: share of all these steps in all bars that sound, 0 to 1. ``least=0.8`` allows
            one of five to be left out; ``most=0.2`` forbids more than one in five.
    """

    says: str
    drums: tuple[str, ...]
    steps: tuple[int, ...]
    least: float = 0.0
    most: float = 1.0

    def holds(self, sounding: Collection[tuple[int, int, str]], bars: int) -> bool:
        """Whether a beat of `bars` bars keeps the rule.

        Args:
            sounding: (bar, 16th of the bar, drum name) of every hit.
            bars: length of the beat.
        """
        wanted, steps = frozenset(self.drums), frozenset(self.steps)
        places = {(bar, step) for bar, step, drum in sounding if drum in wanted and step in steps}
        return self.least <= len(places) / (bars * len(steps)) <= self.most


@dataclass(frozen=True)
class Swing:
    """Where the second 16th of a pair usually falls, in percent of the pair (50 is straight)."""

    kick: float = 50
    snare: float = 50
    hat: float = 50
    percussion: float = 50


STRAIGHT = Swing()


@dataclass(frozen=True)
class Genre:
    """A style of drumming.

    Attributes:
        name: identifier in files, links and the command line.
        label: what a DJ reads.
        tempo_bpm: its usual tempo; where corpora give none, beats of the genre play at it.
        family: the heading it stands under in the picker.
        tempo_range_bpm: slowest and fastest tempo it is usually played at.
        says: a sentence for the picker.
        rules: what it must and must not sound, in a groove of one or more bars of 4/4.
        swing: usual swing by drum family.
        kit: the usual kit, by its name in the table of kits.
    """

    name: str
    label: str
    tempo_bpm: float
    family: str = "Drummers"
    tempo_range_bpm: tuple[float, float] = (50, 220)
    says: str = ""
    rules: tuple[Rule, ...] = ()
    swing: Swing = STRAIGHT
    kit: str = "standard"

    @property
    def is_dance(self) -> bool:
        """Whether it is a style of the dance floor, as against one learned from drummers."""
        return self.family != DRUMMERS


DRUMMERS = "Drummers"


def _four_on_the_floor(least: float = 0.8) -> Rule:
    return Rule("a kick on every beat", KICK, BEATS, least)


def _backbeat(least: float = 0.6, says: str = "a snare, clap or rim on two and four") -> Rule:
    return Rule(says, SNARES, BACKBEATS, least)


def _offbeat_hats(least: float = 0.5) -> Rule:
    return Rule("hats between the beats", HATS, OFFBEATS, least)


def _kick_on_one(least: float = 0.7) -> Rule:
    return Rule("a kick on one", KICK, (0,), least)


_BROKEN_KICK = Rule("a kick on two and four", KICK, BACKBEATS, most=0.25)
_GHOSTS = Rule("a snare that also plays between its backbeats", ("snare",), ALL, 0.16)
_HALF_TIME = (
    Rule("a snare or clap on three", SNARES, (8,), 0.7),
    Rule("a snare or clap on two and four", ("snare", "clap"), BACKBEATS, most=0.25),
)
_RUNNING_SHAKER = Rule("a shaker that keeps running", (*SHAKERS, "closed_hat"), ALL, 0.35)

GENRES: tuple[Genre, ...] = (
    Genre("house", "House", 124, "House", (118, 128),
          "Four on the floor, claps on two and four, open hats between, a loose shuffle.",
          (_four_on_the_floor(), _backbeat(0.7), _offbeat_hats(0.55)), Swing(50, 50, 56, 56),
          "house"),
    Genre("deep-house", "Deep house", 122, "House", (116, 125),
          "Softer and more swung: rims, shakers and small percussion around a round kick.",
          (_four_on_the_floor(0.75), _backbeat(0.55), _offbeat_hats(0.45)), Swing(50, 52, 58, 58),
          "deep-house"),
    Genre("tech-house", "Tech house", 127, "House", (123, 131),
          "Dry and driving: clipped hats, percussion hooks, a turn every second bar.",
          (_four_on_the_floor(), _backbeat(0.55), _offbeat_hats(0.45)), Swing(50, 50, 55, 56),
          "tech-house"),
    Genre("acid-house", "Acid house", 125, "House", (116, 130),
          "A plain machine groove with busy toms, claps and open hats.",
          (_four_on_the_floor(), _backbeat(0.55), _offbeat_hats(0.5)), Swing(50, 50, 52, 52),
          "nine"),
    Genre("afro-house", "Afro house", 121, "House", (116, 126),
          "Hand drums and shakers in conversation over a steady kick.",
          (_four_on_the_floor(0.7), Rule("hand drums that keep talking", HAND_DRUMS, ALL, 0.25)),
          Swing(50, 52, 54, 55), "afro"),
    Genre("progressive-house", "Progressive house", 125, "House", (120, 130),
          "Long and rolling: hats and shakers that build slowly over eight bars.",
          (_four_on_the_floor(), _backbeat(0.55), _offbeat_hats(0.5)), Swing(50, 50, 52, 52),
          "house"),
    Genre("jackin-house", "Jackin' house", 126, "House", (122, 130),
          "Heavily swung hats, chopped claps and snares, cowbells that answer.",
          (_four_on_the_floor(0.75), _backbeat(0.65), _offbeat_hats(0.45)), Swing(52, 54, 60, 60),
          "house"),
    Genre("techno", "Techno", 134, "Techno", (128, 142),
          "A hard straight kick, hats between, metal and rims that shift against it.",
          (_four_on_the_floor(), _offbeat_hats(0.5)), STRAIGHT, "techno"),
    Genre("minimal-techno", "Minimal techno", 127, "Techno", (122, 132),
          "Few sounds, each in its own place: clicks, rims and short hats.",
          (_four_on_the_floor(0.75), Rule("crashes", ("crash",), ALL, most=0.03)),
          Swing(50, 50, 53, 54), "tech-house"),
    Genre("dub-techno", "Dub techno", 123, "Techno", (115, 128),
          "A soft kick, offbeat hats and rims that sound like their own echoes.",
          (_four_on_the_floor(0.75), _offbeat_hats(0.4)), Swing(50, 50, 53, 54), "deep-house"),
    Genre("acid-techno", "Acid techno", 138, "Techno", (130, 146),
          "Fast and raw: claps, open hats and rolling snares over a pounding kick.",
          (_four_on_the_floor(), _backbeat(0.45), _offbeat_hats(0.5)), STRAIGHT, "nine"),
    Genre("hard-techno", "Hard techno", 148, "Techno", (140, 160),
          "A relentless kick, rumble toms, rides and hats at full tilt.",
          (_four_on_the_floor(), _offbeat_hats(0.5)), STRAIGHT, "hard-techno"),
    Genre("melodic-techno", "Melodic techno", 123, "Techno", (118, 128),
          "Deep kick, soft claps, shakers and toms that lead from phrase to phrase.",
          (_four_on_the_floor(0.75), _offbeat_hats(0.4)), Swing(50, 50, 52, 52), "techno"),
    Genre("trance", "Trance", 138, "Trance and hard dance", (130, 145),
          "Open hats between the beats, claps on two and four, rolls into every eighth bar.",
          (_four_on_the_floor(), _backbeat(0.6),
           Rule("open hats or rides between the beats", ("open_hat", "ride"), OFFBEATS, 0.5)),
          STRAIGHT, "trance"),
    Genre("hardcore", "Hardcore", 170, "Trance and hard dance", (158, 200),
          "A distorted kick on every beat, open hats between, breakbeats on top.",
          (_four_on_the_floor(0.75), _offbeat_hats(0.4)), STRAIGHT, "hard-techno"),
    Genre("hardstyle", "Hardstyle", 150, "Trance and hard dance", (143, 162),
          "One big kick a beat, claps on two and four, straight hats and snare rolls.",
          (_four_on_the_floor(), _backbeat(0.5)), STRAIGHT, "hard-techno"),
    Genre("drum-and-bass", "Drum and bass", 174, "Drum and bass", (165, 180),
          "Kick on one and before the second snare, snares on two and four, running hats.",
          (_kick_on_one(), _backbeat(0.75), _BROKEN_KICK), Swing(50, 50, 52, 52), "drum-and-bass"),
    Genre("liquid-drum-and-bass", "Liquid drum and bass", 174, "Drum and bass", (168, 178),
          "The same two-step, softer: ghost notes, rides and shakers that flow.",
          (_kick_on_one(), _backbeat(0.75), _BROKEN_KICK, _GHOSTS), Swing(50, 52, 54, 54),
          "drum-and-bass"),
    Genre("neurofunk", "Neurofunk", 174, "Drum and bass", (168, 178),
          "Tight and mechanical: double kicks, metal percussion, hats cut short.",
          (_kick_on_one(), _backbeat(0.75), _BROKEN_KICK), STRAIGHT, "drum-and-bass"),
    Genre("jump-up", "Jump-up", 175, "Drum and bass", (170, 180),
          "A plain heavy two-step with bouncing hats and fills that shout.",
          (_kick_on_one(), _backbeat(0.75), _BROKEN_KICK), STRAIGHT, "drum-and-bass"),
    Genre("jungle", "Jungle", 165, "Drum and bass", (155, 174),
          "Chopped breaks: ghosted snares, displaced kicks, rolls and ride patterns.",
          (_kick_on_one(0.6), _backbeat(0.45), Rule("a kick on two and four", KICK, BACKBEATS,
                                                    most=0.3),
           Rule("a chopped, busy snare", ("snare",), ALL, 0.2)), Swing(50, 54, 54, 54),
          "jungle"),
    Genre("uk-garage", "UK garage", 132, "Garage and dubstep", (126, 138),
          "Two-step: the kick leaves out two and three, snares and hats shuffle hard.",
          (_kick_on_one(), _backbeat(0.7), Rule("a kick on two, three and four", KICK, (4, 8, 12),
                                                most=0.4)),
          Swing(54, 56, 62, 62), "garage"),
    Genre("speed-garage", "Speed garage", 132, "Garage and dubstep", (126, 140),
          "Four on the floor with garage's shuffle, skipping snares and rewinds.",
          (_four_on_the_floor(0.75), _backbeat(0.65)), Swing(50, 56, 61, 61), "garage"),
    Genre("bassline", "Bassline", 138, "Garage and dubstep", (132, 143),
          "Hard garage from the north: driving kick, clipped claps, organ-stab gaps.",
          (_four_on_the_floor(0.6), _backbeat(0.65)), Swing(50, 54, 58, 58), "garage"),
    Genre("dubstep", "Dubstep", 140, "Garage and dubstep", (136, 145),
          "Half-time: a snare on three, few kicks, swung hats, answers in the gaps.",
          (_kick_on_one(), *_HALF_TIME), Swing(52, 54, 60, 60), "dubstep"),
    Genre("deep-140", "140", 140, "Garage and dubstep", (136, 145),
          "Dubstep's spacious side: rims, hand drums and toms around a sparse kick.",
          (_kick_on_one(0.6), Rule("a snare, clap or rim on three", SNARES, (8,), 0.6),
           Rule("a snare or clap on two and four", ("snare", "clap"), BACKBEATS, most=0.3)),
          Swing(54, 56, 62, 62), "dubstep"),
    Genre("breakbeat", "Breakbeat", 130, "Breaks and electro", (118, 142),
          "A sampled drummer's feel: ghosted snares, broken kicks, rides that push.",
          (_kick_on_one(), _backbeat(0.65), _BROKEN_KICK, _GHOSTS), Swing(50, 53, 55, 55),
          "twelve-bit"),
    Genre("big-beat", "Big beat", 112, "Breaks and electro", (98, 128),
          "Loud funk breaks with crashes, tambourines and snare rolls.",
          (_kick_on_one(), _backbeat(0.7), _BROKEN_KICK), Swing(50, 52, 54, 54), "twelve-bit"),
    Genre("funk-breaks", "Funk breaks", 106, "Breaks and electro", (94, 120),
          "The drummer's break: sixteenth hats, ghosts everywhere, one open hat.",
          (_kick_on_one(), _backbeat(0.65), _BROKEN_KICK, _GHOSTS), Swing(52, 54, 56, 56),
          "standard"),
    Genre("electro", "Electro", 127, "Breaks and electro", (118, 136),
          "A broken machine kick, snares on two and four, cowbells and closed sixteenths.",
          (_kick_on_one(), _backbeat(0.65), Rule("a kick on every beat", KICK, (4, 8, 12),
                                                 most=0.4)),
          STRAIGHT, "electro"),
    Genre("footwork", "Footwork", 160, "Footwork and juke", (154, 166),
          "Kicks in threes against the beat, rattling snares, triplet hats, sudden gaps.",
          (Rule("a kick that drives or plays in threes", KICK, ALL, 0.2), _kick_on_one(0.6),
           Rule("a snare or clap on two, three or four", SNARES, (4, 8, 12), 0.2)),
          Swing(50, 50, 52, 52), "eight"),
    Genre("juke", "Juke", 158, "Footwork and juke", (148, 165),
          "House at double speed: a straight kick, claps, fast toms and hats.",
          (_four_on_the_floor(0.6), _backbeat(0.45)), Swing(50, 50, 52, 52), "eight"),
    Genre("trap", "Trap", 140, "Trap and hip-hop", (126, 160),
          "A snare on three, booming kicks off the beat, hats that roll in 32nds and triplets.",
          (_kick_on_one(), *_HALF_TIME, Rule("hats that keep running", HATS, ALL, 0.4)),
          STRAIGHT, "trap"),
    Genre("drill", "Drill", 142, "Trap and hip-hop", (136, 148),
          "Hats in threes, a snare on three and a late one on four, sliding kicks.",
          (Rule("a snare or clap on three, or a late one", SNARES, (8, 12, 14), 0.25),
           Rule("a snare or clap on two", ("snare", "clap"), (4,), most=0.3),
           Rule("hats in threes", HATS, TRESILLO, 0.5)), Swing(50, 50, 52, 52), "trap"),
    Genre("boom-bap", "Boom bap", 90, "Trap and hip-hop", (82, 98),
          "A swung break on a sampling machine: heavy kick, cracking snare, dusty hats.",
          (_kick_on_one(0.75), _backbeat(0.75), _BROKEN_KICK,
           Rule("hats on the eighths", (*HATS, *SHAKERS), EIGHTHS, 0.5)), Swing(56, 56, 60, 60),
          "boom-bap"),
    Genre("lo-fi", "Lo-fi", 80, "Trap and hip-hop", (66, 92),
          "Late, soft and lazy: a kick that drags, rims, hats with no hurry.",
          (_kick_on_one(), _backbeat(0.7), _BROKEN_KICK), Swing(58, 58, 62, 62), "lo-fi"),
    Genre("rnb", "R&B", 92, "Trap and hip-hop", (60, 108),
          "Slow and silky: snaps on two and four, skipping kicks, hats with short rolls.",
          (_kick_on_one(), _backbeat(0.65), _BROKEN_KICK), Swing(52, 52, 56, 56), "eight"),
    Genre("reggaeton", "Reggaeton", 94, "Caribbean and Latin", (86, 102),
          "The dembow: a kick on every beat, snares in 3-3-2 against it.",
          (_four_on_the_floor(0.7), Rule("snares in 3-3-2", (*SNARES, "conga", "high_tom"), DEMBOW,
                                         0.6)),
          STRAIGHT, "reggaeton"),
    Genre("dembow", "Dembow", 116, "Caribbean and Latin", (106, 126),
          "The Dominican kind: faster, chopped snares, fills that stutter.",
          (_four_on_the_floor(0.6), Rule("snares in 3-3-2", (*SNARES, "conga", "high_tom"), DEMBOW,
                                         0.5)),
          STRAIGHT, "reggaeton"),
    Genre("dancehall", "Dancehall", 98, "Caribbean and Latin", (86, 110),
          "Kick and snare share a 3-3-2, with rims, blocks and space between.",
          (_kick_on_one(), Rule("kick and snare in 3-3-2", (*KICK, *SNARES), (0, 3, 6), 0.6),
           Rule("a snare or clap on two", ("snare", "clap"), (4,), most=0.4)),
          Swing(50, 50, 53, 53), "reggaeton"),
    Genre("dub", "Dub", 72, "Caribbean and Latin", (62, 84),
          "One drop: kick and rim together on three, hats and blocks that echo.",
          (Rule("kick, snare or rim on three, or on two and four", (*KICK, *SNARES), (4, 8, 12),
                0.3),),
          Swing(52, 52, 58, 58), "standard"),
    Genre("baile-funk", "Baile funk", 130, "Caribbean and Latin", (124, 152),
          "The tamborzão: drums in threes, hand claps, congas and voices of toms.",
          (Rule("accents in threes", (*KICK, *SNARES, *HAND_DRUMS), (0, 3, 6), 0.7),
           Rule("a kick on two and four", KICK, BACKBEATS, most=0.5)), STRAIGHT, "eight"),
    Genre("afrobeats", "Afrobeats", 104, "African", (94, 118),
          "A rim or snare that plays a clave, shakers that run, a light kick.",
          (_kick_on_one(0.6), _RUNNING_SHAKER,
           Rule("rims or snares between the beats", SNARES, (3, 6, 7, 10, 11, 14), 0.25)),
          Swing(50, 52, 55, 55), "afro"),
    Genre("amapiano", "Amapiano", 112, "African", (108, 117),
          "A running shaker, soft kick, log-drum toms that answer in the gaps.",
          (Rule("a shaker that keeps running", (*SHAKERS, "closed_hat"), ALL, 0.45),
           Rule("log-drum toms", ("low_tom", "mid_tom", "high_tom"), ALL, 0.06)),
          Swing(50, 54, 57, 57), "afro"),
    Genre("gqom", "Gqom", 126, "African", (118, 132),
          "A broken, heavy kick in threes, dark toms and shouts of percussion.",
          (_kick_on_one(), Rule("a kick on two, three and four", KICK, (4, 8, 12), most=0.55),
           Rule("a broken kick", KICK, ALL, 0.12)), STRAIGHT, "techno"),
    Genre("kuduro", "Kuduro", 138, "African", (128, 144),
          "A driving kick under fast snares and toms in 3-3-2.",
          (_four_on_the_floor(0.5), Rule("snares or hand drums in 3-3-2", (*SNARES, *HAND_DRUMS),
                                         DEMBOW, 0.4)),
          STRAIGHT, "reggaeton"),
    Genre("disco", "Disco", 118, "Disco", (108, 128),
          "A played four on the floor: open hats between, snares, congas, tambourine.",
          (_four_on_the_floor(), _backbeat(0.7), _offbeat_hats(0.5)), Swing(50, 50, 52, 52),
          "disco"),
    Genre("nu-disco", "Nu-disco", 116, "Disco", (106, 125),
          "Disco's drums, slower and cleaner: claps, shakers, cowbell hooks.",
          (_four_on_the_floor(), _backbeat(0.65), _offbeat_hats(0.45)), Swing(50, 50, 54, 54),
          "disco"),
    Genre("synthwave", "Synthwave", 100, "Downtempo and synth", (80, 122),
          "Gated snares on two and four, steady eighths, toms that fall down the fill.",
          (_kick_on_one(0.75), _backbeat(0.75)), STRAIGHT, "nine"),
    Genre("downtempo", "Downtempo", 92, "Downtempo and synth", (78, 108),
          "Slow and layered: soft breaks, shakers, hand percussion.",
          (_kick_on_one(), _backbeat(0.55)), Swing(52, 53, 57, 57), "boom-bap"),
    Genre("trip-hop", "Trip-hop", 84, "Downtempo and synth", (68, 98),
          "A slow dusty break: dragging hats, ghosted snare, a ride on top.",
          (_kick_on_one(0.75), _backbeat(0.65), _BROKEN_KICK), Swing(54, 55, 58, 58), "boom-bap"),
    Genre("idm", "IDM", 120, "Downtempo and synth", (84, 164),
          "Broken and detailed: rolls, stutters, hits where nobody expects them.",
          (Rule("a kick on every beat", KICK, BEATS, most=0.7), _kick_on_one(0.5)), STRAIGHT,
          "electro"),
    # the eight genres of the paper's corpus
    Genre("blues", "Blues", 92),
    Genre("country", "Country", 112),
    Genre("indie", "Indie", 124),
    Genre("jazz", "Jazz", 140, kit="jazz"),
    Genre("pop", "Pop", 112),
    Genre("psychedelic-rock", "Psychedelic rock", 108),
    Genre("rock", "Rock", 120),
    Genre("soul", "Soul", 98),
    # further styles the known corpora name
    Genre("hip-hop", "Hip-hop", 90, kit="boom-bap"),
    Genre("funk", "Funk", 104),
    Genre("latin", "Latin", 108),
    Genre("afrobeat", "Afrobeat", 112),
    Genre("afro-cuban", "Afro-Cuban", 112),
    Genre("gospel", "Gospel", 112),
    Genre("middle-eastern", "Middle Eastern", 104),
    Genre("new-orleans", "New Orleans", 96),
    Genre("punk", "Punk", 160),
    Genre("reggae", "Reggae", 78),
    Genre("highlife", "Highlife", 120),
    Genre("dance", "Dance", 120),
)  # fmt: skip
GENRE: dict[str, Genre] = {genre.name: genre for genre in GENRES}
DANCE_STYLES: tuple[str, ...] = tuple(genre.name for genre in GENRES if genre.is_dance)


def genre_name(text: str) -> str:
    """A folder or style name as a genre identifier: 'Psychedelic Rock' → 'psychedelic-rock'.

    Spellings that mean the same ('hiphop', 'dnb') become one name. '' stays ''.
    """
    name = "-".join(text.replace("_", " ").replace("-", " ").replace("&", " and ").lower().split())
    return _SPELLINGS.get(name, name)


def is_dance(name: str) -> bool:
    """Whether a genre is a style of the dance floor."""
    return name in GENRE and GENRE[name].is_dance


def genre_label(name: str) -> str:
    """What to show for a genre; names the table does not know are shown as they are."""
    return GENRE[name].label if name in GENRE else name.replace("-", " ").capitalize()


def typical_tempo_bpm(name: str) -> float | None:
    """A usual tempo for the genre in BPM, or None for one the table does not know."""
    return GENRE[name].tempo_bpm if name in GENRE else None


_SPELLINGS = {
    "hiphop": "hip-hop",
    "dnb": "drum-and-bass",
    "drum-n-bass": "drum-and-bass",
    "ukgarage": "uk-garage",
    "garage": "uk-garage",
    "two-step": "uk-garage",
    "2-step": "uk-garage",
    "afrocuban": "afro-cuban",
    "middleeastern": "middle-eastern",
    "neworleans": "new-orleans",
    "classic-house": "house",
    "peak-techno": "techno",
    "jackin'-house": "jackin-house",
    "liquid": "liquid-drum-and-bass",
    "liquid-dnb": "liquid-drum-and-bass",
    "neuro": "neurofunk",
    "140": "deep-140",
    "breaks": "breakbeat",
    "lofi": "lo-fi",
    "r-and-b": "rnb",
    "dance-hall": "dancehall",
    "funk-carioca": "baile-funk",
    "nudisco": "nu-disco",
    "triphop": "trip-hop",
}
