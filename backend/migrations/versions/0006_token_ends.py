"""An index with which workers find, twice a second, who was deactivated in the last day.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(
        "CREATE INDEX idx_player_events_activity ON player_events (created_at) "
        "WHERE kind IN ('deactivated', 'reactivated')"
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP INDEX idx_player_events_activity")
