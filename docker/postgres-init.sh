#!/bin/sh
# Runs once, when the data folder of Postgres is made: our database belongs to a role of its own, which
# cannot read Airflow's.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv password DATA_SYNC_DB_PASSWORD
CREATE ROLE data_sync LOGIN PASSWORD :'password';
CREATE DATABASE data_sync OWNER data_sync;
REVOKE CONNECT, TEMPORARY ON DATABASE airflow, data_sync, postgres FROM PUBLIC;
SQL
