"""What was imported, so that the same file never counts twice."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Import(Base):
    """A file from which games came in: the SHA-256 of its bytes, and how many there are.

    `last_event_id` is the newest session that came from it, and `oldest_at` the time of the oldest
    one: an index that lacks the former must look back to the latter.
    """

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    begun_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    last_event_id: Mapped[int | None] = mapped_column(BigInteger)
    oldest_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ImportedRows(Base):
    """Rows of a file, from `first_row` to `last_row`, that are in the ledger. The first is 1.

    They are written in the transaction that writes their games.
    """

    __tablename__ = "imported_rows"

    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"), primary_key=True)
    first_row: Mapped[int]
    last_row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
