"""What a role needs that uses the tables and does not own them.

`make_partition` makes a month's partition with its owner's rights. The audit log's head can only
follow the log, so that a role with `UPDATE` on it can't set it back.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# The search path is fixed, so that no caller can put other tables before these.
UPGRADE = (
    """
    CREATE FUNCTION make_partition(month date) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {schema}, pg_temp SET lock_timeout = '5s' AS $$
    DECLARE
        first timestamp := date_trunc('month', month::timestamp);
        name text := to_char(first, '"game_sessions_"YYYY_MM');
        bound text := 'YYYY-MM-DD"+00"';
    BEGIN
        IF to_regclass(name) IS NOT NULL THEN
            RETURN NULL;
        END IF;
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF game_sessions FOR VALUES FROM (%L) TO (%L)',
            name, to_char(first, bound), to_char(first + interval '1 month', bound)
        );
        RETURN name;
    END
    $$
    """,
    "REVOKE ALL ON FUNCTION make_partition FROM PUBLIC",
    """
    CREATE FUNCTION follow_audit_log() RETURNS trigger LANGUAGE plpgsql
    SET search_path = {schema}, pg_temp AS $$
    BEGIN
        IF NEW.last_id < OLD.last_id OR NOT EXISTS (
            SELECT FROM audit_log WHERE id = NEW.last_id AND hash = NEW.hash
        ) THEN
            RAISE EXCEPTION 'audit_head is append-only' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END
    $$
    """,
    """
    CREATE TRIGGER follow_audit_log BEFORE UPDATE ON audit_head
        FOR EACH ROW EXECUTE FUNCTION follow_audit_log()
    """,
)
DOWNGRADE = (
    "DROP TRIGGER follow_audit_log ON audit_head",
    "DROP FUNCTION follow_audit_log",
    "DROP FUNCTION make_partition",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    for statement in UPGRADE:
        op.execute(statement.format(schema=schema))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in DOWNGRADE:
        op.execute(statement)
