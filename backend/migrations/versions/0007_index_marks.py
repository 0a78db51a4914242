"""Marks by which an index recognises its database; entries are vacuumed sooner.

Each score moves its entry, and a page of the table stays unknown to index-only scans until the
next vacuum. At the default of a fifth of the table, hours pass on a large board.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UPGRADE = (
    """
    CREATE TABLE index_marks (
        board_id integer NOT NULL CONSTRAINT fk_index_marks_board_id REFERENCES boards (id),
        season integer NOT NULL,
        event_id bigint NOT NULL,
        at timestamptz NOT NULL,
        nonce bigint NOT NULL,
        CONSTRAINT pk_index_marks PRIMARY KEY (board_id, season, event_id)
    )
    """,
    "ALTER TABLE leaderboard SET (autovacuum_vacuum_scale_factor = 0.05)",
)
DOWNGRADE = (
    "ALTER TABLE leaderboard RESET (autovacuum_vacuum_scale_factor)",
    "DROP TABLE index_marks",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in DOWNGRADE:
        op.execute(statement)
