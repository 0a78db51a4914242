"""Boards and their seasons: what ranks whom."""

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, DateTime, ForeignKey, Identity, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Board(Base):
    """A fold over the ledger: which games, how they add up, and which way is up."""

    __tablename__ = "boards"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    game_modes: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    operator: Mapped[str] = mapped_column(server_default=text("'sum'"))
    sort_order: Mapped[str] = mapped_column(server_default=text("'desc'"))
    tie_policy: Mapped[str] = mapped_column(server_default=text("'ordinal'"))
    schedule: Mapped[str | None]
    time_zone: Mapped[str] = mapped_column(server_default=text("'UTC'"))
    decimals: Mapped[int] = mapped_column(server_default=text("0"))
    unit: Mapped[str | None]
    client_submissions: Mapped[bool] = mapped_column(server_default=text("false"))
    is_private: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        CheckConstraint("operator IN ('sum', 'best', 'latest')", name="operator"),
        CheckConstraint("sort_order IN ('desc', 'asc')", name="sort_order"),
        CheckConstraint("tie_policy IN ('ordinal', 'competition', 'dense')", name="tie_policy"),
        CheckConstraint("decimals BETWEEN 0 AND 9", name="decimals"),
    )


class Season(Base):
    """A period of a board. The period is part of every key, so a reset deletes nothing."""

    __tablename__ = "seasons"

    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    ends_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
