"""Players."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    func,
    literal_column,
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

    __table_args__ = (
        Index("uq_users_username", text("lower(username)"), unique=True),
        Index("uq_users_email", text("lower(email)"), unique=True),
        Index(
            "idx_user_username_active",
            literal_column("lower(username)").label("name"),
            postgresql_ops={"name": "text_pattern_ops"},
            postgresql_where=text("is_active"),
        ),
    )
