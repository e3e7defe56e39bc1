"""Text of the reproduction: for each claim, what the paper says and what was measured.

Every sentence is made from the results, so the text is true for another corpus or run.
Nothing in it supposes that the reader knows the paper, or what a network is made of.
"""

from __future__ import annotations

from dataclasses import dataclass

from dj_core.paper.plan import BEST, FINAL
from dj_core.paper.results import Results, SystemResult
from dj_core.paper.songs import OPENINGS
from dj_core.paper.structure import one_bar_share
from dj_core.paper.tables import (
    ARCHIVE_FILES,
    ARCHIVE_VOCABULARY,
    PAPER_DISTINCT,
    PAPER_VOCABULARY,
    authors_peak,
    nats,
    percent,
)

CITED_CELLS = ("lstm-1x128", "gru-1x128", "rnn-1x128", "res-rnn-1x128")


@dataclass(frozen=True)
class Claim:
    """One claim of the paper beside what came out here.

    Attributes:
        paper: what the paper says.
        here: what was measured.
        difference: one plain sentence on what to make of the two.
    """

    paper: str
    here: str
    difference: str


def all_claims(results: Results) -> dict[str, Claim]:
    """Every claim by what it is about, in the order a reader meets them."""
    claims = {
        "accuracy": _accuracy(results),
        "figure-1": _song(results, 0.0),
        "figure-2": _song(results, 1.0),
        "figure-3": _song(results, 5.0),
        "openings": _openings(results),
        "heat": _heat(results),
        "figure-5": Claim(
            "“Image of a generated song segment and its pieces”, every note a half-note.",
            "Four bars of the same network's song, and four of notes-best's, on a drum staff.",
            "The paper gives every note the same length, so its bars fall where they happen to; "
            "a model that learned the times writes bars a drummer can read.",
        ),
        "systems": _systems(results),
        "form": _form(results),
        "corpus": _corpus(results),
        "split": _split(results),
        "length": _length(results),
    }
    if FINAL in results.curves:
        claims["figure-4"] = _losses(results)
        peak = _peak(results)
        if peak:
            claims["peak"] = peak
    return claims


def _accuracy(results: Results) -> Claim:
    networks = [system for system in results.systems if system.group == "paper"]
    in_paper = max(networks, key=lambda system: system.paper_accuracy or 0)
    in_truth = max(networks, key=_truth)
    rest = results.floor.rest_accuracy["validation"]["looped"]
    return Claim(
        f"Two small layers, taught slowly, are best: {percent(in_paper.paper_accuracy)} of the "
        "notes are predicted right, where the wide single layer manages 8.96%.",
        "; ".join(
            f"{system.label}: up to {percent(_counted_their_way(results, system))} counted the "
            f"authors' way, {percent(_truth(system))} of next notes truly predicted"
            for system in networks
        )
        + ".",
        (
            f"Counted truly, {in_truth.label} is the best of the three and the order turns round. "
            if in_truth.name != in_paper.name
            else ""
        )
        + "The authors' code shows the network the very notes it is asked for, so its number says "
        f"how often a note is answered with itself. Always saying “rest” scores {percent(rest)}.",
    )


def _counted_their_way(results: Results, system: SystemResult) -> float | None:
    """In its best epoch, which is what the paper reports."""
    return authors_peak(results, system)[1]


def _truth(system: SystemResult) -> float:
    return system.scores["validation"]["looped"].accuracy


def _song(results: Results, temperature: float) -> Claim:
    key = f"{temperature:g}"
    said = {
        "0": "Always taking the likeliest note gives a song of three notes.",
        "1": "Drawing notes by the network's odds gives 105 different notes in 500.",
        "5": "Temperature 5 gives 406 different notes in 500, none played more than four times.",
    }[key]
    final, best = results.system(FINAL), results.system(BEST)
    kept = results.song(FINAL, temperature)
    most = max(kept.notes.count(name) for name in set(kept.notes))
    here = (
        f"Its network: {kept.distinct} different notes in this song, {final.distinct[key]:.0f} in "
        f"the median one; the commonest is played {most} times. notes-best: "
        f"{results.song(BEST, temperature).distinct} and {best.distinct[key]:.0f}."
    )
    paper = PAPER_DISTINCT[key]
    human = results.facts.song_distinct
    difference = {
        "0": f"The collapse is real, {final.distinct['0']:.0f} notes here and {paper} there, and a "
        "better network is not spared it. Why that must be so stands below.",
        "1": f"Variety is no merit of its own. A drummer's song keeps to {human:.0f} different "
        "notes"
        + (
            ", and so does a model that has learned what a song is: it stays in the one it began. "
            if best.distinct["1"] < 3 * human
            else ". "
        )
        + f"Begun anew as often as drummers do, 500 notes of notes-best hold {results.fresh[BEST]} "
        f"different ones, those of its network {results.fresh[FINAL]}, the drummers' own "
        f"{results.facts.consecutive_distinct:.0f}.",
        "5": "So hot, the network's odds hardly matter: any note of the vocabulary may follow any "
        "other, and what was learned is gone. It is noise of drums.",
    }[key]
    return Claim(said, here, difference)


def _openings(results: Results) -> Claim:
    lone, heard = (results.opening(BEST, given) for given in OPENINGS)
    paper = results.opening(FINAL, OPENINGS[1])
    looped = results.system(BEST).loss("validation", "looped")
    return Claim(
        "Taking the likeliest note degenerates “into a two note sequence”; drawing notes by chance "
        "is the cure.",
        f"From one note, notes-best too plays {lone.distinct:.0f} different notes, at "
        f"{nats(lone.loss)} nats a note by its own odds, where drummers' loops cost it "
        f"{nats(looped)}. After the first {heard.given} notes of a real song it goes round with "
        f"{heard.distinct:.0f} of its notes (the paper's network: {paper.distinct:.0f}) at "
        f"{nats(heard.loss)}; those songs have {heard.human:.0f}.",
        "It must be so. The likeliest note, time after time, is a bet on the safest small step, "
        "and a short loop proves itself right with every repeat: it ends up likelier than anything "
        "drummers play. What a model knows shows when its odds are drawn from, not when chance is "
        "taken away.",
    )


def _heat(results: Results) -> Claim:
    losses = {heat.temperature: heat.loss for heat in results.heat[BEST] if heat.loss is not None}
    lowest = min(losses.values())
    # what comes out alike is alike: the one nearest to 1
    alike = [temperature for temperature, loss in losses.items() if loss < lowest + 0.005]
    least = min(alike, key=lambda temperature: abs(temperature - 1.0))
    played = {heat.temperature: heat.distinct for heat in results.heat[BEST]}
    hottest = list(losses)[-1]
    return Claim(
        "Temperature 1 is kept, “because we did not want to introduce too much randomness”.",
        f"Real songs are likeliest to notes-best at temperature {least:g} "
        f"({nats(losses[least])} nats a note) and cost {nats(losses[hottest])} at "
        f"{hottest:g}. In a song of 500 notes it plays {played[1.0]:.0f} different "
        f"ones at 1, {played[hottest]:.0f} at {hottest:g}; a drummer's "
        f"song has {results.facts.song_distinct:.0f}.",
        (
            "The authors' choice was right. "
            if abs(least - 1.0) < 0.3
            else f"About {least:g} would be truer than 1. "
        )
        + "Above it variety keeps growing while real drumming gets ever less likely: from there on "
        "it is noise.",
    )


def _losses(results: Results) -> Claim:
    curve = results.curves[FINAL]
    last_train = [p.train_loss for p in curve if p.validation_loss is not None][-1]
    losses = {p.epoch: p.validation_loss for p in curve if p.validation_loss is not None}
    best = min(losses, key=lambda epoch: losses[epoch])
    early = min(list(losses)[:10], key=lambda epoch: losses[epoch])
    worst = max(
        (epoch for epoch in losses if early <= epoch <= best),
        key=lambda epoch: losses[epoch],
        default=early,
    )
    return Claim(
        "Over 50 epochs both losses fall, with “a case of double drop descent”.",
        f"Training loss falls to {nats(last_train)}. Validation loss is "
        f"{nats(losses[early])} at epoch {early}, {nats(losses[worst])} at "
        f"{worst} and {nats(losses[best])} at {best}.",
        (
            "The double descent is there. "
            if early < worst < best and losses[worst] > losses[early] + 0.02
            else "There is no double descent in this run. "
        )
        + "Who only knows how frequent each note is has "
        f"{nats(results.floor.frequencies_loss['validation']['looped'])} nats on the same songs: "
        "most of what training gains is not gained for songs it has not heard.",
    )


def _peak(results: Results) -> Claim | None:
    curve = results.curves[FINAL]
    right = {p.epoch: p.authors_accuracy for p in curve if p.authors_accuracy is not None}
    if len(right) < 3:
        return None
    peak, last = max(right, key=lambda epoch: right[epoch]), list(right)[-1]
    return Claim(
        "Accuracy is highest in one of the first five epochs and then falls; the best network "
        "reached 40% on the test songs “by using a strategy of predicting rests”.",
        f"Counted the authors' way it peaks at epoch {peak} with "
        f"{percent(right[peak])} and is {percent(right[last])} at epoch {last}.",
        "Early on the network answers everything with a rest, which this way of counting rewards; "
        "as it learns what comes next, it stops repeating its input and the number falls.",
    )


def _systems(results: Results) -> Claim:
    best = results.system(BEST)
    others = [system for system in results.systems if system.group != "ours"]
    next_best = min(others, key=SystemResult.loss)
    floor = results.floor.scores["validation"]["once"].loss
    missed = [system.label for system in others if system.loss() > floor]
    words = (
        f" {len(missed)} of the {len(others)} do not even reach the n-gram's."
        if missed
        else " All of them reach the n-gram's."
    )
    wins = best.loss() < min(next_best.loss(), floor)
    return Claim(
        "The paper builds on larger networks of the same kind and measures itself against none of "
        "them.",
        f"On songs none of them has heard, notes-best needs {nats(best.loss())} nats a note, the "
        f"best of the {len(others)} others, {next_best.label}, {nats(next_best.loss())}, and a "
        f"table of counts (n-gram) {nats(floor)}." + words,
        (
            "What wins is not size: it is knowing that chords are made of notes and that loops "
            "come round again, and being trained with care."
            if wins
            else f"{next_best.label if next_best.loss() < floor else 'The n-gram'} wins here."
        ),
    )


def _form(results: Results) -> Claim:
    later = {
        found.cell: sum(found.bars_right[1:]) / max(len(found.bars_right) - 1, 1)
        for found in results.form
    }
    order = sorted(later, key=lambda cell: -later[cell])
    shares = ", ".join(f"{cell} {percent(later[cell])}" for cell in order)
    cells = {system.name: system for system in results.systems if system.name in CITED_CELLS}
    seconds = {name: cell.cpu_seconds for name, cell in cells.items() if cell.cpu_seconds}
    speed = ""
    if set(seconds) == set(CITED_CELLS):
        names = ("res-rnn-1x128", "gru-1x128", "lstm-1x128")
        residual, gated, lstm = (cells[name] for name in names)
        residual_s, gated_s, lstm_s = (seconds[name] for name in names)
        speed = (
            f" Res-RNN takes {residual_s / lstm_s:.1f} times the LSTM's "
            f"processor time and {residual_s / gated_s:.1f} times the GRU's "
            f"an epoch, at {nats(residual.loss())} nats against {nats(lstm.loss())} and "
            f"{nats(gated.loss())}."
        )
    return Claim(
        "Plain recurrent networks lose track of where they are in a song; LSTMs keep global "
        "structure (Eck and Schmidhuber 2002). Res-RNNs do as well and are faster (2018).",
        f"Left alone with a twelve-bar form for eight choruses, bars right after the first: "
        f"{shares}.{speed}",
        _form_verdict(later, order),
    )


def _form_verdict(later: dict[str, float], order: list[str]) -> str:
    floor = one_bar_share()
    alone = f"Who plays the first bar over and over has {percent(floor)} of the bars right"
    keep = [cell for cell in order if later[cell] > floor + 0.01]
    lose = [cell for cell in order if cell not in keep]
    if not keep:
        return f"{alone}: not one of these small networks keeps its place in the form."
    if not lose:
        return f"{alone}: all of these networks know better where they are."
    knows = "knows" if len(keep) == 1 else "know"
    lost = "loses its" if len(lose) == 1 else "lose their"
    return f"{alone}. {_listed(keep)} {knows} where to go on; {_listed(lose)} {lost} place."


def _listed(cells: list[str]) -> str:
    return cells[0] if len(cells) == 1 else f"{', '.join(cells[:-1])} and {cells[-1]}"


def _corpus(results: Results) -> Claim:
    facts = results.facts
    return Claim(
        f"1,800 files give about {PAPER_VOCABULARY:,} different notes, chords and rests.",
        f"{sum(facts.songs.values()):,} files give {facts.vocabulary:,} with music21 "
        f"{facts.music21}, {percent(facts.rests)} of all {facts.notes:,} notes being rests; "
        f"{percent(facts.unseen)} of held-out notes occur in no training song. Writing a note once "
        f"that is struck twice in a chord leaves {facts.namings['sets']:,}; naming the drums "
        f"instead of the notes, {facts.namings['drums']:,}.",
        f"{_library_of_the_day(results)}"
        f"{facts.namings['in_one_song'] / facts.vocabulary:.0%} of the words occur in one "
        "song only: they are chords made of a few drums, and a network that takes each for an "
        "unrelated word cannot know them.",
    )


def _library_of_the_day(results: Results) -> str:
    """Why the paper counts fewer, where the files are the paper's."""
    if sum(results.facts.songs.values()) != ARCHIVE_FILES:
        return "How many there are is a matter of spelling. "
    (old, fewer), (new, more) = ARCHIVE_VOCABULARY.items()
    return (
        f"The library of the paper's day explains its number: read as the authors read, music21 "
        f"{old} finds {fewer:,} different notes in these files and {new} {more:,}. "
    )


def _split(results: Results) -> Claim:
    leak = results.leak
    return Claim(
        "75% of the files for training, 10% for validation, 15% for test, drawn by file.",
        f"Drawn so, {percent(leak.siblings)} of the held-out files have a near-duplicate among "
        f"the training files, and the same n-gram scores {nats(leak.by_file)} nats a note in place "
        f"of {nats(leak.by_family)}.",
        "Drawn by file, part of the test is memory. All numbers here keep families of "
        "near-duplicates on one side.",
    )


def _length(results: Results) -> Claim:
    facts = results.facts
    names = {system.name: system for system in results.systems}
    looped, once, best = names.get("paper-1x128"), names.get("paper-1x128-once"), names[BEST]
    trained = (
        f" Taught each song once through instead, the 1 × 128 network has {nats(once.loss())} nats "
        f"a note on songs heard once ({nats(looped.loss())} when taught loops)."
        if looped and once
        else ""
    )
    pointing = names.get("ours-pointing")
    times = (
        f" Reading the times too takes our network from {nats(pointing.loss())} to "
        f"{nats(best.loss())}."
        if pointing
        else ""
    )
    return Claim(
        "Beats are cyclic, so all are extended to one length and nothing needs padding; every note "
        "is given the same length.",
        f"Extended to {facts.longest} notes, {percent(facts.copies)} of what is learned is "
        f"repetition.{trained} With one length for all, {percent(facts.in_place)} of the strokes "
        f"fall where their drummer put them.{times}",
        "Cyclic extension teaches repeating, and one length for all loses the rhythm. Writing the "
        "time to the next note after each note keeps it.",
    )
