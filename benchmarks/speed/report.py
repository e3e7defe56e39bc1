"""The results as a table, beside those before."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmarks.speed.measure import Row, ratio_of


def as_json(
    rows: list[Row], machine: dict[str, str], command: str, last: list[dict[str, Any]]
) -> dict[str, Any]:
    """Rows with their ratios, and what they were the last time; parts not measured now stay."""
    before = {(row["part"], row["name"]): row["value"] for row in last}
    now = [
        {
            **asdict(row),
            "ratio": ratio_of(row, rows),
            "before": before.get((row.part, row.name)),
        }
        for row in rows
    ]
    measured = {row.part for row in rows}
    kept = [row for row in last if row["part"] not in measured]
    return {"machine": machine, "command": command, "rows": [*kept, *now]}


def as_markdown(told: dict[str, Any]) -> str:
    """RESULTS.md."""
    lines = [
        "# Speed",
        "",
        "Written by `make bench`. What each piece of work costs one core (processor time of one "
        "thread, the median of several rounds), beside a named baseline on the same material in "
        "the same run. Ratios travel from machine to machine; figures do not.",
        "",
        *(f"- {name}: {value}" for name, value in told["machine"].items()),
        f"- command: `{told['command']}`",
        "",
        "| part | what | value | before | ratio | against | note |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for row in told["rows"]:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}×"
        before = "" if row["before"] is None else _short(row["before"])
        value = f"{_short(row['value'])} {row['unit']}"
        against = row["against"] if ratio else ""
        lines.append(
            f"| {row['part']} | {row['name']} | {value} | {before} | {ratio} | {against} | "
            f"{row['note']} |"
        )
    return "\n".join([*lines, ""])


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
