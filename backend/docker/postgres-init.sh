#!/bin/bash
# Once, on a new volume: the service's own role and database, so that it is no superuser. psql reads
# the password itself: it stands in no list of processes.
psql -v ON_ERROR_STOP=1 --no-password --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set password `cat /run/secrets/postgres/password`
CREATE ROLE leaderboard LOGIN PASSWORD :'password';
CREATE DATABASE leaderboard OWNER leaderboard;
REVOKE ALL ON DATABASE leaderboard FROM PUBLIC;
SQL
