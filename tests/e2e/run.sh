#!/usr/bin/env bash
# End-to-end tests: messina against messina-sim, judged by boto3. Six at a time, since most of each is waiting.
#   tests/e2e/run.sh BUILD [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")"
build=$(cd ../.. && cd "$1" && pwd)
shift

venv=$build/e2e-venv
if ! cmp -s requirements.txt "$venv/installed.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q -r requirements.txt
  cp requirements.txt "$venv/installed.txt"
fi
data=$build/e2e-data
if ! cmp -s package.json "$data/package.json"; then
  mkdir -p "$data"
  cp package.json "$data/"
  (cd "$data" && npm install --silent --no-audit --no-fund --ignore-scripts)
fi
exec "$venv/bin/python" -m pytest -q -n 6 --build "$build" --data "$data/node_modules/vega-datasets/data" "$@" .
