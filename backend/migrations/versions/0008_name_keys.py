"""Names are compared by a stored key, and searched by another one.

The service makes both keys (`app/core/names.py`), because PostgreSQL knows neither full case
folding nor what shows nothing. This migration only makes room for them, so that it takes
milliseconds at any number of players. The service fills the keys right after it, in small
transactions.

The version before may run beside this one: it makes and renames players without keys, which are
then filled within half a minute. `uq_users_username` stays until a later migration, so that two
players of one name are refused whichever version is asked.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UPGRADE = (
    'ALTER TABLE users ADD COLUMN name_key varchar COLLATE "C"',
    'ALTER TABLE users ADD COLUMN search_key varchar COLLATE "C"',
    # Partial, so that writing a key needs no stronger lock on the row than a score does.
    "CREATE UNIQUE INDEX uq_users_name_key ON users (name_key) WHERE name_key IS NOT NULL",
    "CREATE INDEX idx_users_without_key ON users (id) WHERE name_key IS NULL",
    "DROP INDEX idx_user_username_active",
    "CREATE INDEX idx_user_username_active ON users (search_key text_pattern_ops) WHERE is_active",
    # Parts of names are found quickly where the extension may be installed, else slowly.
    """
    DO $$
    BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX idx_user_search ON users USING gin (search_key gin_trgm_ops) WHERE is_active;
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_file
        OR undefined_object
    THEN
        RAISE NOTICE 'no trigram index: %', SQLERRM;
    END
    $$
    """,
    """
    CREATE FUNCTION forget_name_key() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.name_key := NULL;
        RETURN NEW;
    END
    $$
    """,
    # This version takes the key away itself before it changes a name.
    """
    CREATE TRIGGER forget_name_key BEFORE UPDATE OF username ON users FOR EACH ROW
        WHEN (NEW.username <> OLD.username AND NEW.name_key = OLD.name_key)
        EXECUTE FUNCTION forget_name_key()
    """,
)
DOWNGRADE = (
    "DROP TRIGGER forget_name_key ON users",
    "DROP FUNCTION forget_name_key",
    "DROP INDEX idx_user_username_active",
    """
    CREATE INDEX idx_user_username_active ON users (lower(username) text_pattern_ops)
        WHERE is_active
    """,
    "ALTER TABLE users DROP COLUMN name_key",
    "ALTER TABLE users DROP COLUMN search_key",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in DOWNGRADE:
        op.execute(statement)
