"""Which lineage of API keys used an idempotency key; and seals with a key in the audit log.

Both columns are null in all rows that there are, and in those of the version before.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE submission_keys ADD COLUMN lineage integer")
    op.execute("ALTER TABLE audit_log ADD COLUMN seal bytea")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE audit_log DROP COLUMN seal")
    op.execute("ALTER TABLE submission_keys DROP COLUMN lineage")
