"""One table a file; importing the package fills `Base.metadata`."""

from app.models.api_key import ApiKey
from app.models.audit_entry import AuditEntry, AuditHead
from app.models.base import Base, event_ids
from app.models.board import Board, Season
from app.models.erasure import Erasure, NameChange
from app.models.game_session import GameSession, PlayerEvent, SubmissionKey
from app.models.imported import Import, ImportedRows
from app.models.index_mark import IndexMark
from app.models.leaderboard_entry import LeaderboardEntry
from app.models.standings_sample import StandingsSample
from app.models.user import User

__all__ = [
    "ApiKey",
    "AuditEntry",
    "AuditHead",
    "Base",
    "Board",
    "Erasure",
    "GameSession",
    "Import",
    "ImportedRows",
    "IndexMark",
    "LeaderboardEntry",
    "NameChange",
    "PlayerEvent",
    "Season",
    "StandingsSample",
    "SubmissionKey",
    "User",
    "event_ids",
]
