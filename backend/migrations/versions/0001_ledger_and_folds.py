"""The ledger, the folds over it, and the board that there always is.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

UPGRADE = """
CREATE SEQUENCE event_id_seq AS bigint;

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_users PRIMARY KEY,
    username varchar NOT NULL,
    email varchar,
    join_date timestamptz NOT NULL DEFAULT now(),
    is_active boolean NOT NULL DEFAULT true
);
CREATE UNIQUE INDEX uq_users_username ON users (lower(username));
CREATE UNIQUE INDEX uq_users_email ON users (lower(email));
CREATE INDEX idx_user_username_active ON users (lower(username) text_pattern_ops) WHERE is_active;

CREATE TABLE boards (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_boards PRIMARY KEY,
    slug varchar NOT NULL CONSTRAINT uq_boards_slug UNIQUE,
    name varchar NOT NULL,
    game_modes text[],
    operator varchar NOT NULL DEFAULT 'sum'
        CONSTRAINT ck_boards_operator CHECK (operator IN ('sum', 'best', 'latest')),
    sort_order varchar NOT NULL DEFAULT 'desc'
        CONSTRAINT ck_boards_sort_order CHECK (sort_order IN ('desc', 'asc')),
    tie_policy varchar NOT NULL DEFAULT 'ordinal'
        CONSTRAINT ck_boards_tie_policy CHECK (tie_policy IN ('ordinal', 'competition', 'dense')),
    schedule varchar,
    time_zone varchar NOT NULL DEFAULT 'UTC',
    decimals integer NOT NULL DEFAULT 0
        CONSTRAINT ck_boards_decimals CHECK (decimals BETWEEN 0 AND 9),
    unit varchar,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE seasons (
    board_id integer NOT NULL CONSTRAINT fk_seasons_board_id REFERENCES boards (id),
    number integer NOT NULL,
    starts_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz,
    closed_at timestamptz,
    CONSTRAINT pk_seasons PRIMARY KEY (board_id, number)
);

CREATE TABLE game_sessions (
    id bigint NOT NULL DEFAULT nextval('event_id_seq'),
    user_id bigint NOT NULL,
    score bigint NOT NULL,
    timestamp timestamptz NOT NULL DEFAULT now(),
    duration_ms integer,
    won boolean,
    game_mode varchar NOT NULL,
    metadata jsonb
) PARTITION BY RANGE (timestamp);
CREATE INDEX idx_session_user_timestamp ON game_sessions (user_id, timestamp);
CREATE INDEX idx_session_id ON game_sessions
    USING brin (id) WITH (pages_per_range = 16, autosummarize = true);

CREATE TABLE player_events (
    id bigint NOT NULL DEFAULT nextval('event_id_seq') CONSTRAINT pk_player_events PRIMARY KEY,
    user_id bigint NOT NULL,
    kind varchar NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE submission_keys (
    key_hash bytea NOT NULL CONSTRAINT pk_submission_keys PRIMARY KEY,
    body_hash bytea NOT NULL,
    session_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_submission_keys_created_at ON submission_keys USING brin (created_at);

CREATE TABLE leaderboard (
    board_id integer NOT NULL CONSTRAINT fk_leaderboard_board_id REFERENCES boards (id),
    season integer NOT NULL,
    user_id bigint NOT NULL CONSTRAINT fk_leaderboard_user_id REFERENCES users (id),
    total_score bigint NOT NULL,
    achieved_id bigint NOT NULL,
    achieved_at timestamptz NOT NULL,
    version bigint NOT NULL,
    rank bigint,
    games_played integer NOT NULL,
    decided integer NOT NULL,
    wins integer NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    win_rate double precision GENERATED ALWAYS AS
        (CASE WHEN decided > 0 THEN round(wins::numeric / decided, 4)::float8 END) STORED,
    CONSTRAINT pk_leaderboard PRIMARY KEY (board_id, season, user_id)
) WITH (fillfactor = 85);
CREATE INDEX idx_leaderboard_score_rank ON leaderboard
    (board_id, season, total_score DESC, achieved_id, user_id) INCLUDE (is_active);
CREATE INDEX idx_leaderboard_active_score ON leaderboard
    (board_id, season, total_score DESC) WHERE is_active;

INSERT INTO boards (slug, name) VALUES ('global', 'Global');
INSERT INTO seasons (board_id, number) SELECT id, 1 FROM boards WHERE slug = 'global';
"""

TABLES = (
    "leaderboard",
    "submission_keys",
    "player_events",
    "game_sessions",
    "seasons",
    "boards",
    "users",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statement in UPGRADE.split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP SEQUENCE event_id_seq")
