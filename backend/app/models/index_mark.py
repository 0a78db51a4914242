"""What a rank index has to find again in the database that it was built from."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class IndexMark(Base):
    """A random number, written when every event up to this one had been committed or never will be.

    The index keeps its newest mark. A database that was set back to an older state does not have
    that mark any more: see `services/rank_index/past.py`.
    """

    __tablename__ = "index_marks"

    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id"), primary_key=True)
    season: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    nonce: Mapped[int] = mapped_column(BigInteger)
