"""What the service's role may do where another role owns the tables.

It may read and write what the service reads and writes. It can't change or drop a table, a
trigger or an index, empty a table, or change what was written to the audit log.
"""

import asyncio

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import is_busy

RIGHTS = {
    "alembic_version": "SELECT",
    "api_keys": "SELECT, INSERT, UPDATE",
    "audit_head": "SELECT, UPDATE",
    "audit_log": "SELECT, INSERT",
    "boards": "SELECT, UPDATE",
    "erasures": "SELECT, INSERT, UPDATE",
    "game_sessions": "SELECT, INSERT, UPDATE (metadata)",
    "imported_rows": "SELECT, INSERT",
    "imports": "SELECT, INSERT, UPDATE",
    "index_marks": "SELECT, INSERT, UPDATE, DELETE",
    "leaderboard": "SELECT, INSERT, UPDATE",
    "name_changes": "SELECT, INSERT, DELETE",
    "player_events": "SELECT, INSERT",
    "seasons": "SELECT",
    "standings_samples": "SELECT, INSERT, DELETE",
    "submission_keys": "SELECT, INSERT, UPDATE, DELETE",
    "users": "SELECT, INSERT, UPDATE",
}
"""By table. Partitions are written through their table, and need none of their own."""

SEQUENCE_RIGHTS = {"event_id_seq": "SELECT, USAGE, UPDATE"}
FUNCTIONS = ("make_partition",)

TRIES = 120
PAUSE_SECONDS = 0.5

_OWNS = text("""
SELECT EXISTS (
    SELECT FROM pg_shdepend WHERE deptype = 'o' AND refobjid = CAST(:role AS text)::regrole
    AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
)
""")
_QUOTED = text("SELECT quote_ident(:role), quote_ident(current_schema())")
_THERE = text("""
SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
""")


async def take_over(engine: AsyncEngine, role: str) -> None:
    """Makes the engine's role the owner of all that the service's role owns in this database, as
    in a deployment that had one role for both. The service's role keeps its rights all along.

    Needs every table's lock for some milliseconds: where another transaction holds one of them,
    lets go of all and tries again.
    """
    for left in reversed(range(TRIES)):
        try:
            async with engine.begin() as connection:
                if not (await connection.execute(_OWNS, {"role": role})).scalar_one():
                    return
                await connection.execute(text("SET LOCAL lock_timeout = '300ms'"))
                await connection.run_sync(_reassign, role)
                await connection.run_sync(give_rights, role)
        except DBAPIError as error:
            if not left or not is_busy(error):
                raise
            await asyncio.sleep(PAUSE_SECONDS)


def _reassign(connection: Connection, role: str) -> None:
    quoted, _ = connection.execute(_QUOTED, {"role": role}).one()
    connection.exec_driver_sql(f"REASSIGN OWNED BY {quoted} TO CURRENT_USER")


def give_rights(connection: Connection, role: str) -> None:
    """Gives the role its rights on what there is, and takes away all others."""
    there = set(connection.execute(_THERE).scalars())
    quoted, schema = connection.execute(_QUOTED, {"role": role}).one()
    statements = [f"GRANT USAGE ON SCHEMA {schema} TO {quoted}"]
    for kind, rights in (
        ("TABLE", RIGHTS),
        ("SEQUENCE", SEQUENCE_RIGHTS),
        ("FUNCTION", dict.fromkeys(FUNCTIONS, "EXECUTE")),
    ):
        for name in sorted(rights.keys() & there):
            statements += (
                f"REVOKE ALL ON {kind} {name} FROM {quoted}, PUBLIC",
                f"GRANT {rights[name]} ON {kind} {name} TO {quoted}",
            )
    for statement in statements:
        connection.exec_driver_sql(statement)
