"""What is left of a player who was erased, and what an erasure takes away."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Erasure(Base):
    """A player who was erased. `finished_at` is null while games still have their metadata."""

    __tablename__ = "erasures"

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id"), primary_key=True, autoincrement=False
    )
    erased_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        Index("idx_erasures_unfinished", "user_id", postgresql_where=text("finished_at IS NULL")),
    )


class NameChange(Base):
    """The names of an act in the audit log, which has seals over salted hashes of them alone."""

    __tablename__ = "name_changes"

    audit_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"))
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    name_before: Mapped[str]
    name_after: Mapped[str]

    __table_args__ = (Index("idx_name_changes_user_id", "user_id"),)
