"""Text of the reproduction: for each claim, what the paper says and what was measured.

Every sentence is made from the results, so the text is true for another corpus or run.
Nothing in it supposes that the reader knows the paper, or what a network is made of.
"""

from __future__ import annotations

from collections import Counter
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
    return {
        "accuracy": _accuracy(results),
        "figure-1": _song(results, 0.0),
        "figure-2": _song(results, 1.0),
        "figure-3": _song(results, 5.0),
        **_choice(results),
        "figure-5": Claim(
            "“Image of a generated song segment and its pieces”, every note a half-note.",
            "Four bars of the same network's song, and four of notes-best's, on a drum staff.",
            "The paper gives every note the same length, so its bars fall where they happen to; "
            "a model that learned the times writes bars a drummer can read.",
        ),
        "systems": _systems(results),
        "form": _form(results),
        **_corpus(results),
        **_learning(results),
    }


def _accuracy(results: Results) -> Claim:
    networks = [system for system in results.systems if system.group == "paper"]
    truth = {s.name: s.scores["validation"]["looped"].accuracy for s in networks}
    in_paper = max(networks, key=lambda system: system.paper_accuracy or 0)
    in_truth = max(networks, key=lambda system: truth[system.name])
    turned = ""
    if in_truth.name != in_paper.name:
        turned = (
            f"Counted truly, {in_truth.label} is the best of the three and the order turns round. "
        )
    rest = results.floor.rest_accuracy["validation"]["looped"]
    counted = "; ".join(  # the paper reports the best epoch
        f"{system.label}: up to {percent(authors_peak(results, system)[1])} counted the authors' "
        f"way, {percent(truth[system.name])} of next notes truly predicted"
        for system in networks
    )
    return Claim(
        f"Two small layers, taught slowly, are best: {percent(in_paper.paper_accuracy)} of the "
        "notes are predicted right, where the wide single layer manages 8.96%.",
        f"{counted}.",
        f"{turned}The authors' code shows the network the very notes it is asked for, so its "
        "number says how often a note is answered with itself. Always saying “rest” scores "
        f"{percent(rest)}.",
    )


def _song(results: Results, temperature: float) -> Claim:
    key = f"{temperature:g}"
    final, best = results.system(FINAL), results.system(BEST)
    kept = results.song(FINAL, temperature)
    (_, most), *_ = Counter(kept.notes).most_common(1)
    here = (
        f"Its network: {kept.distinct} different notes in this song, {final.distinct[key]:.0f} in "
        f"the median one; the commonest is played {most} times. notes-best: "
        f"{results.song(BEST, temperature).distinct} and {best.distinct[key]:.0f}."
    )
    facts, human = results.facts, results.facts.song_distinct
    stays = "."
    if best.distinct["1"] < 3 * human:
        stays = (
            ", and so does a model that has learned what a song is: it stays in the one it began."
        )
    said, difference = {
        "0": (
            "Always taking the likeliest note gives a song of three notes.",
            f"The collapse is real, {final.distinct['0']:.0f} notes here and "
            f"{PAPER_DISTINCT['0']} there, and a better network is not spared it. Why that must be "
            "so stands below.",
        ),
        "1": (
            "Drawing notes by the network's odds gives 105 different notes in 500.",
            f"Variety is no merit of its own. A drummer's song keeps to {human:.0f} different "
            f"notes{stays} Begun anew as often as drummers do, 500 notes of notes-best hold "
            f"{results.fresh[BEST]} different ones, those of its network {results.fresh[FINAL]}, "
            f"the drummers' own {facts.consecutive_distinct:.0f}.",
        ),
        "5": (
            "Temperature 5 gives 406 different notes in 500, none played more than four times.",
            "So hot, the network's odds hardly matter: any note of the vocabulary may follow any "
            "other, and what was learned is gone. It is noise of drums.",
        ),
    }[key]
    return Claim(said, here, difference)


def _choice(results: Results) -> dict[str, Claim]:
    """How the next note is chosen: the likeliest, or drawn at a temperature."""
    lone, heard = (results.opening(BEST, given) for given in OPENINGS)
    paper = results.opening(FINAL, OPENINGS[1])
    looped = results.system(BEST).loss("validation", "looped")
    losses = {heat.temperature: heat.loss for heat in results.heat[BEST] if heat.loss is not None}
    played = {heat.temperature: heat.distinct for heat in results.heat[BEST]}
    # what comes out alike is alike: the one nearest to 1
    alike = [heat for heat, loss in losses.items() if loss < min(losses.values()) + 0.005]
    least = min(alike, key=lambda temperature: abs(temperature - 1.0))
    hottest = list(losses)[-1]
    verdict = f"About {least:g} would be truer than 1."
    if abs(least - 1.0) < 0.3:
        verdict = "The authors' choice was right."
    return {
        "openings": Claim(
            "Taking the likeliest note degenerates “into a two note sequence”; drawing notes by "
            "chance is the cure.",
            f"From one note, notes-best too plays {lone.distinct:.0f} different notes, at "
            f"{nats(lone.loss)} nats a note by its own odds, where drummers' loops cost it "
            f"{nats(looped)}. After the first {heard.given} notes of a real song it goes round "
            f"with {heard.distinct:.0f} of its notes (the paper's network: {paper.distinct:.0f}) "
            f"at {nats(heard.loss)}; those songs have {heard.human:.0f}.",
            "It must be so. The likeliest note, time after time, is a bet on the safest small "
            "step, and a short loop proves itself right with every repeat: it ends up likelier "
            "than anything drummers play. What a model knows shows when its odds are drawn from, "
            "not when chance is taken away.",
        ),
        "heat": Claim(
            "Temperature 1 is kept, “because we did not want to introduce too much randomness”.",
            f"Real songs are likeliest to notes-best at temperature {least:g} "
            f"({nats(losses[least])} nats a note) and cost {nats(losses[hottest])} at "
            f"{hottest:g}. In a song of 500 notes it plays {played[1.0]:.0f} different ones at 1, "
            f"{played[hottest]:.0f} at {hottest:g}; a drummer's song has "
            f"{results.facts.song_distinct:.0f}.",
            f"{verdict} Above it variety keeps growing while real drumming gets ever less likely: "
            "from there on it is noise.",
        ),
    }


def _learning(results: Results) -> dict[str, Claim]:
    """What the curves of the paper's network show; nothing where there are none."""
    curve = results.curves.get(FINAL, ())
    losses = {p.epoch: p.validation_loss for p in curve if p.validation_loss is not None}
    if not losses:
        return {}
    last_train = [p.train_loss for p in curve if p.validation_loss is not None][-1]
    best, early = (min(epochs, key=losses.__getitem__) for epochs in (losses, list(losses)[:10]))
    between = [epoch for epoch in losses if early <= epoch <= best] or [early]
    worst = max(between, key=losses.__getitem__)
    descent = "There is no double descent in this run."
    if early < worst < best and losses[worst] > losses[early] + 0.02:
        descent = "The double descent is there."
    frequencies = results.floor.frequencies_loss["validation"]["looped"]
    claims = {
        "figure-4": Claim(
            "Over 50 epochs both losses fall, with “a case of double drop descent”.",
            f"Training loss falls to {nats(last_train)}. Validation loss is "
            f"{nats(losses[early])} at epoch {early}, {nats(losses[worst])} at "
            f"{worst} and {nats(losses[best])} at {best}.",
            f"{descent} Who only knows how frequent each note is has {nats(frequencies)} nats on "
            "the same songs: most of what training gains is not gained for songs it has not heard.",
        )
    }
    right = {p.epoch: p.authors_accuracy for p in curve if p.authors_accuracy is not None}
    if len(right) >= 3:
        peak, last = max(right, key=right.__getitem__), list(right)[-1]
        claims["peak"] = Claim(
            "Accuracy is highest in one of the first five epochs and then falls; the best network "
            "reached 40% on the test songs “by using a strategy of predicting rests”.",
            f"Counted the authors' way it peaks at epoch {peak} with "
            f"{percent(right[peak])} and is {percent(right[last])} at epoch {last}.",
            "Early on the network answers everything with a rest, which this way of counting "
            "rewards; as it learns what comes next, it stops repeating its input and the number "
            "falls.",
        )
    return claims


def _systems(results: Results) -> Claim:
    best = results.system(BEST)
    others = [system for system in results.systems if system.group != "ours"]
    next_best = min(others, key=SystemResult.loss)
    floor = results.floor.scores["validation"]["once"].loss
    missed = sum(system.loss() > floor for system in others)
    reach = "All of them reach"
    if missed:
        reach = f"{missed} of the {len(others)} do not even reach"
    verdict = f"{next_best.label if next_best.loss() < floor else 'The n-gram'} wins here."
    if best.loss() < min(next_best.loss(), floor):
        verdict = (
            "What wins is not size: it is knowing that chords are made of notes and that loops "
            "come round again, and being trained with care."
        )
    return Claim(
        "The paper builds on larger networks of the same kind and measures itself against none of "
        "them.",
        f"On songs none of them has heard, notes-best needs {nats(best.loss())} nats a note, the "
        f"best of the {len(others)} others, {next_best.label}, {nats(next_best.loss())}, and a "
        f"table of counts (n-gram) {nats(floor)}. {reach} the n-gram's.",
        verdict,
    )


def _form(results: Results) -> Claim:
    later = {found.cell: found.later for found in results.form}
    order = sorted(later, key=lambda cell: -later[cell])
    shares = ", ".join(f"{cell} {percent(later[cell])}" for cell in order)
    known = {system.name: system for system in results.systems}
    cells = [known[name] for name in CITED_CELLS if name in known and known[name].cpu_seconds]
    speed = ""
    if len(cells) == len(CITED_CELLS):
        lstm, gated, _, residual = cells
        lstm_s, gated_s, _, residual_s = (cell.cpu_seconds or 0.0 for cell in cells)
        speed = (
            f" Res-RNN takes {residual_s / lstm_s:.1f} times the LSTM's "
            f"processor time and {residual_s / gated_s:.1f} times the GRU's "
            f"an epoch, at {nats(residual.loss())} nats against {nats(lstm.loss())} and "
            f"{nats(gated.loss())}."
        )
    floor = one_bar_share()
    keep = [cell for cell in order if later[cell] > floor + 0.01]
    lose = [cell for cell in order if cell not in keep]
    if not keep:
        verdict = ": not one of these small networks keeps its place in the form."
    elif not lose:
        verdict = ": all of these networks know better where they are."
    else:
        knows = "knows" if len(keep) == 1 else "know"
        lost = "loses its" if len(lose) == 1 else "lose their"
        verdict = f". {_listed(keep)} {knows} where to go on; {_listed(lose)} {lost} place."
    return Claim(
        "Plain recurrent networks lose track of where they are in a song; LSTMs keep global "
        "structure (Eck and Schmidhuber 2002). Res-RNNs do as well and are faster (2018).",
        f"Left alone with a twelve-bar form for eight choruses, bars right after the first: "
        f"{shares}.{speed}",
        f"Who plays the first bar over and over has {percent(floor)} of the bars right{verdict}",
    )


def _listed(cells: list[str]) -> str:
    return cells[0] if len(cells) == 1 else f"{', '.join(cells[:-1])} and {cells[-1]}"


def _corpus(results: Results) -> dict[str, Claim]:
    """What the files are, how they are split, and what is done with their lengths."""
    facts, leak = results.facts, results.leak
    reading = "How many there are is a matter of spelling."
    if sum(facts.songs.values()) == ARCHIVE_FILES:  # the paper's own: why it counts fewer
        (old, fewer), (new, more) = ARCHIVE_VOCABULARY.items()
        reading = (
            "The library of the paper's day explains its number: read as the authors read, music21 "
            f"{old} finds {fewer:,} different notes in these files and {new} {more:,}."
        )
    names = {system.name: system for system in results.systems}
    looped, once = names.get("paper-1x128"), names.get("paper-1x128-once")
    trained = times = ""
    if looped and once:
        trained = (
            f" Taught each song once through instead, the 1 × 128 network has {nats(once.loss())} "
            f"nats a note on songs heard once ({nats(looped.loss())} when taught loops)."
        )
    if pointing := names.get("ours-pointing"):
        times = (
            f" Reading the times too takes our network from {nats(pointing.loss())} to "
            f"{nats(names[BEST].loss())}."
        )
    return {
        "corpus": Claim(
            f"1,800 files give about {PAPER_VOCABULARY:,} different notes, chords and rests.",
            f"{sum(facts.songs.values()):,} files give {facts.vocabulary:,} with music21 "
            f"{facts.music21}, {percent(facts.rests)} of all {facts.notes:,} notes being rests; "
            f"{percent(facts.unseen)} of held-out notes occur in no training song. Writing a note "
            f"once that is struck twice in a chord leaves {facts.namings['sets']:,}; naming the "
            f"drums instead of the notes, {facts.namings['drums']:,}.",
            f"{reading} {facts.namings['in_one_song'] / facts.vocabulary:.0%} of the words occur "
            "in one song only: they are chords made of a few drums, and a network that takes each "
            "for an unrelated word cannot know them.",
        ),
        "split": Claim(
            "75% of the files for training, 10% for validation, 15% for test, drawn by file.",
            f"Drawn so, {percent(leak.siblings)} of the held-out files have a near-duplicate among "
            f"the training files, and the same n-gram scores {nats(leak.by_file)} nats a note in "
            f"place of {nats(leak.by_family)}.",
            "Drawn by file, part of the test is memory. All numbers here keep families of "
            "near-duplicates on one side.",
        ),
        "length": Claim(
            "Beats are cyclic, so all are extended to one length and nothing needs padding; every "
            "note is given the same length.",
            f"Extended to {facts.longest} notes, {percent(facts.copies)} of what is learned is "
            f"repetition.{trained} With one length for all, {percent(facts.in_place)} of the "
            f"strokes fall where their drummer put them.{times}",
            "Cyclic extension teaches repeating, and one length for all loses the rhythm. Writing "
            "the time to the next note after each note keeps it.",
        ),
    }
