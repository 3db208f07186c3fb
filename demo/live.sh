#!/usr/bin/env bash
# Moves a table that is being written to, between two simulated databases, and compares them in the end.
#   demo/live.sh BUILD     BUILD: the build folder, with bin/messina and bin/messina-sim
# The writer and the comparison are Python with boto3, which goes into an environment of its own in BUILD.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)

venv=$build/demo-venv
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  echo "fetching boto3 (once, into $venv)"
  if ! { python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"; }; then
    echo "demo: boto3 could not be had: this needs python3 with venv (Debian: python3-venv) and a way to PyPI." >&2
    echo "demo: without either, \`make demo-copy\` moves a table that nobody writes to." >&2
    exit 1
  fi
  cp "$here/requirements.txt" "$venv/installed.txt"
fi
exec "$venv/bin/python" "$here/live.py" "$build/bin"
