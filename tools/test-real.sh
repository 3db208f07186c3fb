#!/usr/bin/env bash
# Tries real servers: `messina selftest` on each address of MESSINA_REAL_ENDPOINTS, separated by spaces. Each makes a
# temporary table and deletes it again; on AWS that costs a few cents.
#   MESSINA_REAL_ENDPOINTS="alternator://scylla-1:8000 dynamodb://us-east-1" tools/test-real.sh build/release
# MESSINA_REAL_FLAGS holds further flags for all of them, separated by spaces (--allow-write-aws, --target-profile …).
set -euo pipefail
cd "$(dirname "$0")/.."
messina=$1/bin/messina
if [ -z "${MESSINA_REAL_ENDPOINTS:-}" ]; then
  echo "test-real: MESSINA_REAL_ENDPOINTS names no server: nothing was tried" >&2
  exit 2
fi
read -ra addresses <<<"$MESSINA_REAL_ENDPOINTS"
read -ra flags <<<"${MESSINA_REAL_FLAGS:-}"
failed=()
for address in "${addresses[@]}"; do
  echo "== $address"
  "$messina" selftest "$address" "${flags[@]}" || failed+=("$address")
done
[ ${#failed[@]} -eq 0 ] || { echo "does not hold on: ${failed[*]}" >&2; exit 1; }
