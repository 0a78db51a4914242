"""Alembic's environment: the service's own models, async engine, one connection handed in."""

from alembic import context
from sqlalchemy import Connection

from app.models import Base


def include_name(name: str | None, type_: str, _parents: object) -> bool:
    """Not the models' business: monthly partitions, which the service makes itself, and the trigram
    index, which not every database has."""
    if type_ == "index":
        return name != "idx_user_search"
    return not (type_ == "table" and name is not None and name.startswith("game_sessions_"))


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=include_name,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
