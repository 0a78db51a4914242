"""`leaderboard audit`: who did what, when and why."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.access.running import on_database
from app.cli.folder import DEFAULT_DATA, DataOption
from app.services.access.audit import AuditLog, Entry


def audit(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries to show.")] = 50,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Show the newest entries of the audit log; `leaderboard verify` checks all of it."""

    async def do(engine: AsyncEngine) -> list[Entry]:
        entries, _ = await AuditLog(engine).page(limit)
        return entries

    entries = on_database(data, do)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("no", "when", "who", "what", "to what", "more", "why"):
        table.add_column(title)
    for each in entries:
        table.add_row(
            str(each.id),
            f"{each.at:%Y-%m-%d %H:%M:%S}Z",
            each.actor,
            each.action,
            each.subject,
            Text(json.dumps(each.detail, ensure_ascii=False) if each.detail else ""),
            Text(each.reason or ""),
        )
    console = Console()
    console.print(table if entries else "Nothing was done yet.")
    if entries:
        console.print(f"Entry {entries[0].id} seals all of them: {entries[0].hash.hex()}")
