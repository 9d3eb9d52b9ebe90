#!/usr/bin/env bash
# Renews every lock file from pyproject.toml. The files name packages and hashes, never a registry host.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  --no-annotate "$@"; }
# Flask-AppBuilder, on which Airflow's login in production rests, takes no newer python-dateutil.
ours() { printf '%s\n' 'hatchling==1.33.0' 'python-dateutil<3' | compile pyproject.toml - "$@"; }
echo 'uv' | compile - --output-file locks/bootstrap.txt
ours --output-file locks/app.txt
ours --extra production --constraint locks/app.txt --output-file locks/production.txt
# What `make bench` compares with, in an environment of its own.
echo 'dag-factory==1.1.0' | compile - --constraint locks/app.txt --output-file locks/bench.txt
# Apart from it: dlt loads Airflow where it finds it, which would make it look slower and larger than it is.
printf '%s\n' 'dlt[postgres]==1.31.0' 'pyarrow' 'adbc-driver-postgresql' 'msgspec' | compile - --constraint locks/app.txt --output-file locks/dlt.txt
# Generates a client for the REST API, to prove that one can: it wants an older typer than Airflow.
echo 'openapi-python-client==0.29.1' | compile - --output-file locks/client.txt
compile pyproject.toml --group dev --constraint locks/app.txt --output-file locks/dev.txt
# uv names none unless it is told to, which its own settings on somebody's machine may do.
if grep --files-with-matches '://' locks/*.txt; then
  echo "These files name a registry: uv's own settings on this machine ask for that. Mend them and run this again." >&2
  exit 1
fi
