"""`leaderboard audit`: who did what, when and why."""

import json
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli.access.running import on_database, show
from app.cli.folder import DEFAULT_DATA, DataOption
from app.services.access.audit import AuditLog, Entry
from app.services.access.sealing import Sealer


def audit(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries to show.")] = 50,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Show the newest entries of the audit log; `leaderboard verify` checks all of it."""

    async def do(engine: AsyncEngine, _sealer: Sealer) -> list[Entry]:
        entries, _ = await AuditLog(engine).page(limit)
        return entries

    entries = on_database(data, do)
    if not entries:
        typer.echo("Nothing was done yet.")
        return
    show(
        ("no", "when", "who", "what", "to what", "more", "why"),
        [
            (
                str(each.id),
                f"{each.at:%Y-%m-%d %H:%M:%S}Z",
                each.actor,
                each.action,
                each.subject,
                json.dumps(each.detail, ensure_ascii=False) if each.detail else "",
                each.reason or "",
            )
            for each in entries
        ],
    )
    typer.echo("The newest one vouches for all of them. Note it elsewhere, for `verify --at`:")
    typer.echo(f"{entries[0].id}:{entries[0].hash.hex()}")
