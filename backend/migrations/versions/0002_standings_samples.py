"""Samples of every board's order, for the graphs of ranks; a player's events by player.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UPGRADE = (
    """
    CREATE TABLE standings_samples (
        board_id integer NOT NULL
            CONSTRAINT fk_standings_samples_board_id REFERENCES boards (id),
        season integer NOT NULL,
        at timestamptz NOT NULL,
        version bigint NOT NULL,
        players bigint NOT NULL,
        members bytea NOT NULL,
        CONSTRAINT pk_standings_samples PRIMARY KEY (board_id, season, at)
    )
    """,
    # Compressed before they come: PostgreSQL need not try.
    "ALTER TABLE standings_samples ALTER COLUMN members SET STORAGE EXTERNAL",
    "CREATE INDEX idx_player_events_user_id ON player_events (user_id)",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP INDEX idx_player_events_user_id")
    op.execute("DROP TABLE standings_samples")
