#!/bin/sh
# PostgreSQL's image runs this once, when it makes its data folder: a database for rc-mcp, and a role that owns only that.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 --set password="$DATABASE_PASSWORD" <<'SQL'
CREATE ROLE rc_mcp LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE rc_mcp OWNER rc_mcp;
REVOKE CONNECT, TEMPORARY ON DATABASE rc_mcp FROM PUBLIC;
SQL
