#!/bin/sh
# Stands in for the published image's entry point, and takes the same variables: DB_HOST, DB_USER, DB_PASSWORD, DB_NAME,
# LISTEN_PORT, POOL_MODE.
set -eu
umask 077
printf '"%s" "%s"\n' "$DB_USER" "$DB_PASSWORD" > /tmp/userlist.txt
cat > /tmp/pgbouncer.ini << END
[databases]
$DB_NAME = host=$DB_HOST port=5432
[pgbouncer]
listen_addr = 0.0.0.0
listen_port = ${LISTEN_PORT:-6432}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = /tmp/userlist.txt
pool_mode = ${POOL_MODE:-transaction}
max_prepared_statements = 100
ignore_startup_parameters = extra_float_digits,options
END
exec pgbouncer /tmp/pgbouncer.ini
