"""Samples of a board's order, from which graphs of ranks are drawn."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class StandingsSample(Base):
    """A board's order at a moment, thinned: see `services/samples.py` for what is in `members`.

    `version` is the newest event that the order has in it.
    """

    __tablename__ = "standings_samples"

    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id"), primary_key=True)
    season: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    players: Mapped[int] = mapped_column(BigInteger)
    members: Mapped[bytes] = mapped_column(LargeBinary)
