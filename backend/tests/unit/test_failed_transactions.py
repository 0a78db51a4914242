"""What becomes of a batch whose transaction failed."""

import asyncpg
import pytest

from app.core.errors import DatabaseAway
from app.services.submit.transactions import NOT_KNOWN, NOT_STORED, Progress, _judge

LOST = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
STOPPING = asyncpg.AdminShutdownError("terminating connection due to administrator command")


@pytest.mark.parametrize("error", [LOST, ConnectionResetError(), asyncpg.InterfaceError("closed")])
def test_a_connection_that_ended_before_the_commit_is_replaced(error: Exception) -> None:
    _judge(error, Progress(), is_last=False)
    with pytest.raises(DatabaseAway, match=NOT_STORED):
        _judge(error, Progress(), is_last=True)


@pytest.mark.parametrize("error", [LOST, STOPPING, ConnectionResetError()])
def test_nobody_knows_what_became_of_a_commit_without_an_answer(error: Exception) -> None:
    with pytest.raises(DatabaseAway) as raised:
        _judge(error, Progress(is_committing=True), is_last=False)
    assert raised.value.detail == NOT_KNOWN
