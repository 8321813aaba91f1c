#!/bin/sh
# Applies /migrations/*.sql (or those in the folder $1) to an empty database, in the order of their names. Records each
# in schema_migrations, so that `cargo xtask up` does not apply it again.
# Connects with POSTGRES_USER and POSTGRES_DB, or the PG* variables of psql.
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
    # One transaction, so that a migration is never applied without its record.
    sql --single-transaction --file "$file" \
        --command "INSERT INTO schema_migrations (name, checksum) VALUES ('$name', '$checksum')"
done
