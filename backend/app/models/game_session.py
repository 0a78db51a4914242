"""The ledger: what happened. Rows are never changed, but that an erasure removes metadata."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Index, Integer, LargeBinary, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, event_ids


class GameSession(Base):
    """One submission. Partitioned by month of `timestamp`; the columns are in an order that pads
    nothing.

    `id` is unique because it only ever comes from `event_ids`; ids rise with the rows' place in
    the table, so a BRIN index finds them at a thousandth of a B-tree's size.
    """

    __tablename__ = "game_sessions"

    id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, server_default=event_ids.next_value(), autoincrement=False
    )
    score: Mapped[int] = mapped_column(BigInteger)
    timestamp: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    user_id: Mapped[int] = mapped_column(Integer)
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    won: Mapped[bool | None]
    game_mode: Mapped[str]
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)

    __table_args__ = (
        # 8 bytes a key, and of the games that a player plays in one hour all but the first take 6.
        Index(
            "idx_session_user_timestamp",
            "user_id",
            text("hour_of(timestamp)"),
            postgresql_with={"fillfactor": 100},
        ),
        Index(
            "idx_session_id",
            "id",
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 16, "autosummarize": True},
        ),
        {"postgresql_partition_by": "RANGE (timestamp)"},
    )


class PlayerEvent(Base):
    """What happened to a player outside of games: renamed, deactivated, reactivated.

    Together with the ledger this is all that folds depend on, in one order of ids.
    """

    __tablename__ = "player_events"

    id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, server_default=event_ids.next_value(), autoincrement=False
    )
    user_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (
        Index("idx_player_events_user_id", "user_id"),
        Index(
            "idx_player_events_activity",
            "created_at",
            postgresql_where=text("kind IN ('deactivated', 'reactivated')"),
        ),
    )


class SubmissionKey(Base):
    """An idempotency key that was used: which body it came with, which session it made, and which
    lineage of API keys used it (see `ledger.UsedKey`)."""

    __tablename__ = "submission_keys"

    key_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    session_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    lineage: Mapped[int | None] = mapped_column(Integer)

    __table_args__ = (
        # Keys of one hour share their place in the index: some 7 bytes a key.
        Index("idx_submission_keys_hour", text("hour_of(created_at)")),
    )
