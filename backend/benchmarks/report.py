"""The tables on the terminal and the JSON document."""

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.bench import Bench

COLOURS = {"met": "green", "met at p50": "yellow", "missed": "red"}


def show(bench: Bench, machine: dict[str, str | int]) -> None:
    """Prints what was found, the machine first."""
    console = bench.console
    console.print()
    for name, value in machine.items():
        console.print(f"{name.replace('_', ' ')}: {value}", highlight=False)
    _show_rows(bench, console)
    _show_promises(bench, console)
    _show_facts(bench, console)


def write(bench: Bench, machine: dict[str, str | int], path: Path) -> None:
    """The same with all raw rounds, for programs."""
    options = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in asdict(bench.options).items()
        if name not in {"json", "keep"}
    }
    document = {
        "machine": machine,
        "options": options,
        "measures": [each.encode() for each in bench.rows],
        "light_load": [each.encode() for each in bench.promises],
        "facts": [each.encode() for each in bench.facts],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
    bench.console.print(f"written to {path}", highlight=False)


def _coloured(verdict: str) -> str:
    colour = COLOURS.get(verdict, "red" if verdict else "")
    return f"[{colour}]{verdict}[/]" if colour else verdict


def _show_rows(bench: Bench, console: Console) -> None:
    if not bench.rows:
        return
    table = Table(title="Measures, medians of rounds in turns with the twin")
    for name in ("players", "what"):
        table.add_column(name)
    for name in ("rate", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right")
    table.add_column("twin")
    for name in ("twin's rate", "ratio", "target"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in bench.rows:
        bound = "≤" if row.at_most else "≥"
        table.add_row(
            f"{row.players:,}",
            row.what,
            f"{row.rate:,.0f}{row.unit}",
            f"{row.p50_ms:.2f}",
            f"{row.p99_ms:.2f}",
            row.twin,
            f"{row.twin_rate:,.0f}{row.unit}" if row.twin_rate else "",
            f"{row.ratio:.2f}" if row.ratio else "",
            f"{bound} {row.target:,g}" if row.target else "",
            _coloured(row.verdict),
        )
    console.print(table)


def _show_promises(bench: Bench, console: Console) -> None:
    if not bench.promises:
        return
    table = Table(title="Light load, one connection, beside what is promised")
    table.add_column("players")
    table.add_column("what")
    for name in ("p50 ms", "p99 ms", "promised ms"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for each in bench.promises:
        table.add_row(
            f"{each.players:,}",
            each.what,
            f"{each.result.p50_ms:.2f}",
            f"{each.result.p99_ms:.2f}",
            f"< {each.promised_ms:g}",
            _coloured(each.verdict),
        )
    console.print(table)


def _show_facts(bench: Bench, console: Console) -> None:
    table = Table(title="Storage and start")
    table.add_column("players")
    table.add_column("what")
    table.add_column("value", justify="right")
    table.add_column("target", justify="right")
    table.add_column("verdict")
    for each in bench.facts:
        table.add_row(
            f"{each.players:,}",
            each.what,
            f"{each.value:,.2f} {each.unit}",
            f"≤ {each.at_most:g}" if each.at_most else "",
            _coloured(each.verdict),
        )
    console.print(table)
