"""Players who were erased, and names that administrators changed, apart from the sealed log.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UPGRADE = (
    """
    CREATE TABLE erasures (
        user_id bigint NOT NULL CONSTRAINT pk_erasures PRIMARY KEY
            CONSTRAINT fk_erasures_user_id REFERENCES users (id),
        erased_at timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz
    )
    """,
    "CREATE INDEX idx_erasures_unfinished ON erasures (user_id) WHERE finished_at IS NULL",
    """
    CREATE TABLE name_changes (
        audit_id bigint NOT NULL CONSTRAINT pk_name_changes PRIMARY KEY,
        user_id bigint NOT NULL CONSTRAINT fk_name_changes_user_id REFERENCES users (id),
        salt bytea NOT NULL,
        name_before varchar NOT NULL,
        name_after varchar NOT NULL
    )
    """,
    "CREATE INDEX idx_name_changes_user_id ON name_changes (user_id)",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE name_changes")
    op.execute("DROP TABLE erasures")
