"""Idempotency keys are found by age in an index; imports need no event for each player.

A key's age is kept by the hour, because equal values of an index share their place: it takes some
7 bytes a key. Making the index keeps writes with keys waiting: about a second for two million.

An import notes its newest session and its oldest game in its own row, from which the index's tail
knows how far back it has to look. The events that stood for that before are deleted. The version
before may run beside this one, but not sweep up games that an import of this version commits and
can't index: don't import during an upgrade.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UPGRADE = (
    "CREATE INDEX idx_submission_keys_hour ON submission_keys (hour_of(created_at))",
    "DROP INDEX idx_submission_keys_created_at",
    "ALTER TABLE imports ADD COLUMN last_event_id bigint, ADD COLUMN oldest_at timestamptz",
    # An index that is older than these imports finds their games wherever they are.
    """
    UPDATE imports SET oldest_at = '-infinity',
        last_event_id = (SELECT max(id) FROM player_events WHERE kind = 'imported')
    """,
    "DELETE FROM player_events WHERE kind = 'imported' AND EXISTS (SELECT FROM imports)",
)
DOWNGRADE = (
    "ALTER TABLE imports DROP COLUMN last_event_id, DROP COLUMN oldest_at",
    "CREATE INDEX idx_submission_keys_created_at ON submission_keys USING brin (created_at)",
    "DROP INDEX idx_submission_keys_hour",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in DOWNGRADE:
        op.execute(statement)
