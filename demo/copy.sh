#!/usr/bin/env bash
# Moves 3,201 movies from a simulated DynamoDB to a simulated ScyllaDB (Alternator), and shows that they arrived.
#   demo/copy.sh BIN     BIN: the folder with messina and messina-sim
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
sim=
finish() {
  [ -n "$sim" ] && kill "$sim" 2>/dev/null && wait "$sim" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT

# Port 0 takes a free port; the first line of output says which.
"$bin/messina-sim" --dynamodb 0 --alternator 0 --table movies:id=N --preload "movies=$here/movies.jsonl" \
  >"$work/ready" 2>"$work/sim.log" &
sim=$!
for _ in $(seq 100); do
  grep -q '^ready ' "$work/ready" && break
  kill -0 "$sim" 2>/dev/null || { cat "$work/sim.log" >&2; exit 1; }
  sleep 0.1
done
dynamodb=$(sed -n 's/.*dynamodb=\([^ ]*\).*/\1/p' "$work/ready")
alternator=$(sed -n 's/.*alternator=\([^ ]*\).*/\1/p' "$work/ready")

show() { echo; echo "\$ $*"; }
echo "A simulated DynamoDB with the table \"movies\" is at $dynamodb, an empty simulated ScyllaDB at $alternator."

export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo
copy=(copy dynamodb://us-east-1/movies "alternator://$alternator/movies" --source-endpoint "http://$dynamodb"
      --state "$work/state")
show messina "${copy[@]}"
"$bin/messina" "${copy[@]}"

show "messina ${copy[*]}    # again: nothing is left to do"
"$bin/messina" "${copy[@]}"

show messina status --state "$work/state"
"$bin/messina" status --state "$work/state"
