"""The folds: what every board says of every player."""

from datetime import datetime

from sqlalchemy import BigInteger, Computed, DateTime, Float, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class LeaderboardEntry(Base):
    """A fold over a player's sessions: one row a board, season and player.

    `achieved_id` is the session that reached the present score, which breaks ties: first to
    reach wins. `version` is the newest event that the fold has in it.
    """

    __tablename__ = "leaderboard"

    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id"), primary_key=True)
    season: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    total_score: Mapped[int] = mapped_column(BigInteger)
    achieved_id: Mapped[int] = mapped_column(BigInteger)
    achieved_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    version: Mapped[int] = mapped_column(BigInteger)
    rank: Mapped[int | None] = mapped_column(BigInteger)
    games_played: Mapped[int] = mapped_column(Integer)
    decided: Mapped[int] = mapped_column(Integer)
    wins: Mapped[int] = mapped_column(Integer)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    win_rate: Mapped[float | None] = mapped_column(
        Float(53),
        # In PostgreSQL's own words, so that `alembic check` can compare it.
        Computed(
            "CASE WHEN decided > 0 THEN "
            "round(wins::numeric / decided::numeric, 4)::double precision "
            "ELSE NULL::double precision END",
            persisted=True,
        ),
    )

    __table_args__ = (
        Index(
            "idx_leaderboard_score_rank",
            "board_id",
            "season",
            text("total_score DESC"),
            "achieved_id",
            "user_id",
            postgresql_include=["is_active"],
        ),
        Index(
            "idx_leaderboard_active_score",
            "board_id",
            "season",
            text("total_score DESC"),
            postgresql_where=text("is_active"),
        ),
        {"postgresql_with": {"fillfactor": "85"}},
    )
