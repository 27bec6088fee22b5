#!/bin/sh
# Stands in for the official image's entry point, and honours the same environment: POSTGRES_USER, POSTGRES_DB,
# POSTGRES_PASSWORD_FILE (or POSTGRES_PASSWORD), POSTGRES_INITDB_ARGS, PGDATA. Runs as the user it is started as.
set -eu
PGDATA=${PGDATA:-/var/lib/postgresql/data}
new=$PGDATA/new
POSTGRES_USER=${POSTGRES_USER:-postgres}
POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
export PGDATA

if [ "${1:-postgres}" != postgres ]; then
    exec "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
        password=$POSTGRES_PASSWORD_FILE
    elif [ -n "${POSTGRES_PASSWORD:-}" ]; then
        password=/tmp/password
        (umask 077 && printf '%s' "$POSTGRES_PASSWORD" > "$password")
    else
        echo "Set POSTGRES_PASSWORD_FILE to a file that holds the password of the new database." >&2
        exit 1
    fi
    # Made aside, and PG_VERSION moved last: a start that was killed half-way begins anew instead of serving a database
    # without its users. Without that file no server has ever run here, so nothing of value is removed.
    find "$PGDATA" -mindepth 1 -delete
    # shellcheck disable=SC2086 -- several arguments, as in the official image
    initdb --pgdata="$new" --username="$POSTGRES_USER" --pwfile="$password" ${POSTGRES_INITDB_ARGS:-}
    [ -z "${POSTGRES_PASSWORD:-}" ] || rm -f /tmp/password
    printf '\nhost all all all scram-sha-256\n' >> "$new/pg_hba.conf"
    if [ "$POSTGRES_DB" != postgres ]; then
        # On the socket only: whoever waits for the server over TCP must not take this one for it.
        pg_ctl -D "$new" -w -o "-c listen_addresses=''" start > /dev/null
        psql -qX -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres -c "CREATE DATABASE \"$POSTGRES_DB\""
        pg_ctl -D "$new" -w -m fast stop > /dev/null
    fi
    find "$new" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv {} "$PGDATA" \;
    sync
    mv "$new/PG_VERSION" "$PGDATA"
fi
# Here also for a start that was killed right after the last move: rmdir takes nothing that holds something.
rmdir "$new" 2> /dev/null || true
[ "$#" -eq 0 ] || shift
exec postgres -c listen_addresses='*' "$@"
