#!/usr/bin/env bash
# Brings the clients that tests/clients run, unmodified, as far as this machine can have them:
#
#   tests/clients/install.sh FOLDER [--all]
#
# Debian's packages where we are root and apt is there; Node's into FOLDER/node_modules; Python's into the
# environment whose python is first in PATH, or into one of their own in FOLDER where they want other
# versions than we do. Without --all those that take seconds alone. What cannot be had is named, and the
# tests that want it skip. FOLDER/variables says where the rest is: source it before the tests.
set -uo pipefail

folder=$1
all=${2:-}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

debian=(postgresql-client libpq-dev libdbd-pg-perl ruby-pg php-cli php-pgsql unixodbc odbc-postgresql
  libpostgresql-jdbc-java)
python=(pg8000 psycopg2-binary pyodbc connectorx adbc-driver-postgresql)
node=(pg pg-cursor pg-query-stream pg-copy-streams)
if [ "$all" = --all ]; then
  debian+=(default-jdk-headless golang-go golang-github-lib-pq-dev
    golang-github-jackc-pgx-v4-dev cargo librust-tokio-postgres-dev r-cran-rpostgresql ruby-sequel
    ruby-activerecord)
  python+=(peewee pgcli)
  node+=(postgres pg-cursor pg-query-stream pg-copy-streams knex)
fi

missing=()
limit_s=300 # for all of them: a registry that does not answer holds up nobody
[ "$all" = --all ] && limit_s=3600

try() { # NAME COMMAND…: run it, and note the name where it fails or takes too long
  local name=$1 left=$((limit_s - SECONDS))
  shift
  if [ $left -le 0 ]; then
    missing+=("$name")
    return 1
  fi
  echo "installing $name …"
  if ! timeout -k 5 "$left" "$@" >"$folder/log" 2>&1 </dev/null; then
    missing+=("$name")
    tail -3 "$folder/log"
    return 1
  fi
}

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  wanted=()
  for package in "${debian[@]}"; do
    dpkg -s "$package" >/dev/null 2>&1 || wanted+=("$package")
  done
  if [ ${#wanted[@]} -gt 0 ]; then
    if try "the lists of packages" timeout 60 apt-get update -q; then
      for package in "${wanted[@]}"; do
        try "$package" apt-get install -y -q --no-install-recommends "$package"
      done
    fi
  fi
else
  echo "not root, or no apt: Debian's packages are not installed"
fi
for package in "${python[@]}"; do
  try "$package" python -m pip --disable-pip-version-check install -q "$package"
done
if command -v npm >/dev/null; then
  try "${node[*]}" timeout 120 npm install --silent --no-fund --no-audit --fetch-retries 1 \
    --fetch-timeout 20000 --prefix "$folder" "${node[@]}"
fi

own() { # NAME PACKAGE…: an environment of its own
  local name=$1
  shift
  [ -x "$folder/$name/bin/python" ] || python -m venv "$folder/$name"
  try "$name" "$folder/$name/bin/python" -m pip --disable-pip-version-check install -q "$@"
}

if [ "$all" = --all ]; then
  own dbt dbt-core dbt-postgres
  own superset apache-superset psycopg2-binary gunicorn
fi

{
  echo "export NODE_PATH=\"$folder/node_modules\""
  for name in dbt superset; do
    [ -x "$folder/$name/bin/$name" ] && echo "export ${name^^}=\"$folder/$name/bin/$name\""
  done
} >"$folder/variables"
[ ${#missing[@]} -eq 0 ] || echo "not to be had here: ${missing[*]}"
