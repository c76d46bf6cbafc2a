#!/bin/bash
# What the official image documents of its entry point: POSTGRES_PASSWORD(_FILE), POSTGRES_USER, POSTGRES_DB,
# POSTGRES_INITDB_ARGS, PGDATA, /docker-entrypoint-initdb.d, and arguments for the server.
set -euo pipefail

if [[ ${1:-} == -* ]]; then set -- postgres "$@"; fi

if [[ $1 == postgres && $(id -u) == 0 ]]; then
  install --directory --owner postgres --group postgres --mode 0700 "$PGDATA"
  chown -R postgres:postgres "$PGDATA"
  exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi

initialise() {
  local user=${POSTGRES_USER:-postgres} password=${POSTGRES_PASSWORD:-} each
  if [[ -n ${POSTGRES_PASSWORD_FILE:-} ]]; then password=$(<"$POSTGRES_PASSWORD_FILE"); fi
  if [[ -z $password ]]; then
    echo "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE must be set when the data are made." >&2
    exit 1
  fi
  # word by word, as the variable is documented
  # shellcheck disable=SC2086
  initdb --username="$user" --pwfile=<(printf '%s\n' "$password") ${POSTGRES_INITDB_ARGS:-} -D "$PGDATA"
  printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
  export PGPASSWORD=$password PGUSER=$user PGHOST=/tmp
  pg_ctl -D "$PGDATA" -w start -o "-c listen_addresses='' -c unix_socket_directories=/tmp"
  if [[ ${POSTGRES_DB:-$user} != postgres ]]; then createdb "${POSTGRES_DB:-$user}"; fi
  for each in /docker-entrypoint-initdb.d/*; do
    case $each in
      *.sh) bash "$each" ;;
      *.sql) psql -v ON_ERROR_STOP=1 -d "${POSTGRES_DB:-$user}" -f "$each" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD PGUSER PGHOST
}

if [[ $1 == postgres && ! -s $PGDATA/PG_VERSION ]]; then initialise; fi
exec "$@"
