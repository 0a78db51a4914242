"""Which rows of which files were imported.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UPGRADE = (
    """
    CREATE TABLE imports (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_imports PRIMARY KEY,
        digest bytea NOT NULL CONSTRAINT uq_imports_digest UNIQUE,
        size bigint NOT NULL,
        begun_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE imported_rows (
        import_id integer NOT NULL
            CONSTRAINT fk_imported_rows_import_id REFERENCES imports (id),
        first_row integer NOT NULL,
        last_row integer NOT NULL,
        CONSTRAINT pk_imported_rows PRIMARY KEY (import_id, last_row)
    )
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE imported_rows")
    op.execute("DROP TABLE imports")
