"""API keys, guests, who may use a board, and the log of administrative acts.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UPGRADE = (
    """
    CREATE TABLE api_keys (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_api_keys PRIMARY KEY,
        name varchar NOT NULL,
        prefix varchar NOT NULL CONSTRAINT uq_api_keys_prefix UNIQUE,
        secret_hash bytea NOT NULL,
        scopes text[] NOT NULL CONSTRAINT ck_api_keys_scopes
            CHECK (cardinality(scopes) > 0 AND scopes <@ '{read,submit,admin}'),
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        revoked_at timestamptz,
        rotated_from integer CONSTRAINT fk_api_keys_rotated_from REFERENCES api_keys (id),
        last_used_at timestamptz
    )
    """,
    "ALTER TABLE boards ADD COLUMN client_submissions boolean NOT NULL DEFAULT false",
    "ALTER TABLE boards ADD COLUMN is_private boolean NOT NULL DEFAULT false",
    "ALTER TABLE users ADD COLUMN guest_secret_hash bytea",
    """
    CREATE TABLE audit_log (
        id bigint NOT NULL CONSTRAINT pk_audit_log PRIMARY KEY,
        at timestamptz NOT NULL,
        actor varchar NOT NULL,
        action varchar NOT NULL,
        subject varchar NOT NULL,
        detail jsonb NOT NULL,
        reason varchar,
        prev_hash bytea NOT NULL,
        hash bytea NOT NULL
    )
    """,
    """
    CREATE TABLE audit_head (
        is_the_one boolean NOT NULL DEFAULT true CONSTRAINT pk_audit_head PRIMARY KEY
            CONSTRAINT ck_audit_head_is_the_one CHECK (is_the_one),
        last_id bigint NOT NULL,
        hash bytea NOT NULL
    )
    """,
    "INSERT INTO audit_head (last_id, hash) VALUES (0, decode(repeat('00', 32), 'hex'))",
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END
    $$
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER one_row BEFORE DELETE OR TRUNCATE ON audit_head
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE audit_log")
    op.execute("DROP TABLE audit_head")
    op.execute("DROP FUNCTION refuse_change")
    op.execute("ALTER TABLE users DROP COLUMN guest_secret_hash")
    op.execute("ALTER TABLE boards DROP COLUMN is_private")
    op.execute("ALTER TABLE boards DROP COLUMN client_submissions")
    op.execute("DROP TABLE api_keys")
