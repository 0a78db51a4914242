"""Alembic's environment: the service's own models, async engine, one connection handed in."""

from alembic import context
from sqlalchemy import Connection

from app.models import Base
from app.services.rights import give_rights


def include_name(name: str | None, type_: str, _parents: object) -> bool:
    """Not the models' business: monthly partitions, which the service makes itself, and the trigram
    index, which not every database has."""
    if type_ == "index":
        return name != "idx_user_search"
    return not (type_ == "table" and name is not None and name.startswith("game_sessions_"))


def run(connection: Connection, service_role: str | None) -> None:
    def keep_rights(*_: object, **__: object) -> None:
        if service_role:
            give_rights(connection, service_role)

    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=include_name,
        compare_server_default=True,
        transaction_per_migration=True,
        on_version_apply=keep_rights,
    )
    with context.begin_transaction():
        context.run_migrations()


run(
    context.config.attributes["connection"],
    context.config.attributes.get("service_role"),
)
