"""Players."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    String,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class User(Base):
    """A player. The row is also the lock for all that is the player's (see ARCHITECTURE.md).

    Ids fit into an integer, which is what the ledger keeps of them.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True, maxvalue=2**31 - 1), primary_key=True
    )
    username: Mapped[str]
    email: Mapped[str | None]
    join_date: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    guest_secret_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    name_key: Mapped[str | None] = mapped_column(String(collation="C"))
    """What makes names the same, and what a search compares: `app/core/names.py`. Null until the
    service has filled them, after an older version wrote the name."""
    search_key: Mapped[str | None] = mapped_column(String(collation="C"))

    __table_args__ = (
        Index("uq_users_username", text("lower(username)"), unique=True),
        Index("uq_users_email", text("lower(email)"), unique=True),
        Index(
            "uq_users_name_key",
            "name_key",
            unique=True,
            postgresql_where=text("name_key IS NOT NULL"),
        ),
        Index("idx_users_without_key", "id", postgresql_where=text("name_key IS NULL")),
        Index(
            "idx_user_username_active",
            "search_key",
            postgresql_ops={"search_key": "text_pattern_ops"},
            postgresql_where=text("is_active"),
        ),
    )
