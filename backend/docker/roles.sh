#!/bin/bash
# The database and its two roles, each time before `init`: `leaderboard_owner` owns the tables and
# migrates them, `leaderboard` is the service's role and can't change them. What rights it has is
# said in backend/app/services/rights.py. Sets the passwords to those in the secrets' files, which
# psql reads itself: they stand in no list of processes.
set -euo pipefail

export PGHOST=postgres PGUSER=postgres PGPASSWORD
PGPASSWORD=$(</run/secrets/postgres/superuser_password)
psql --no-psqlrc --quiet --no-password --dbname postgres -v ON_ERROR_STOP=1 <<'SQL'
\set password `cat /run/secrets/postgres/password`
\set owner_password `cat /run/secrets/postgres/owner_password`
SELECT format('CREATE ROLE %I LOGIN', name) FROM unnest('{leaderboard,leaderboard_owner}'::text[]) name
WHERE to_regrole(name) IS NULL \gexec
SELECT 'CREATE DATABASE leaderboard OWNER leaderboard_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'leaderboard') \gexec
BEGIN;
ALTER ROLE leaderboard PASSWORD :'password';
ALTER ROLE leaderboard_owner PASSWORD :'owner_password';
-- So that `init` can take over what the service's role owns, as it did before.
GRANT leaderboard TO leaderboard_owner;
ALTER DATABASE leaderboard OWNER TO leaderboard_owner;
REVOKE ALL ON DATABASE leaderboard FROM PUBLIC;
GRANT CONNECT ON DATABASE leaderboard TO leaderboard;
COMMIT;
SQL
echo "roles: leaderboard_owner owns the database, leaderboard uses it"
