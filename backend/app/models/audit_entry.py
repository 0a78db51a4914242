"""The audit log. Rows are appended and nothing else, which a trigger sees to."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class AuditEntry(Base):
    """An administrative act, sealed to the one before: see `services/access/audit.py`.

    `id` counts without a gap from 1.
    """

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    reason: Mapped[str | None]
    prev_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    seal: Mapped[bytes | None] = mapped_column(LargeBinary)


class AuditHead(Base):
    """The newest entry's number and hash, in one row: also the lock of whoever appends."""

    __tablename__ = "audit_head"

    is_the_one: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default=text("true"))
    last_id: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (CheckConstraint("is_the_one", name="is_the_one"),)
