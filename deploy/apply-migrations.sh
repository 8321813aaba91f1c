#!/bin/sh
# Applies /migrations/*.sql (or those of the folder given) in the order of their names and records each in
# schema_migrations, as `cargo xtask up` does, which then finds nothing to do. For an empty database only.
# Reaches the database as psql does: POSTGRES_USER and POSTGRES_DB, or the usual PG* variables.
set -eu
folder=${1:-/migrations}
export PGUSER="${POSTGRES_USER:-${PGUSER:-tumbler}}"
export PGDATABASE="${POSTGRES_DB:-${PGDATABASE:-$PGUSER}}"

sql() {
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$@"
}

sql --command 'CREATE TABLE schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)'
for file in "$folder"/*.sql; do
    name=$(basename "$file")
    checksum=$(sha256sum "$file" | cut -d ' ' -f 1)
    echo "applying $name"
    # One transaction: a migration and its record are there together or not at all.
    sql --single-transaction --file "$file" \
        --command "INSERT INTO schema_migrations (name, checksum) VALUES ('$name', '$checksum')"
done
