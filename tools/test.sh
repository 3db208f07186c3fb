#!/usr/bin/env bash
# Everything that must pass before a change lands. Sets itself up from nothing.
#   tools/test.sh [release|debug|asan|tsan]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
build=build/$preset
jobs=$(nproc)
[ "$preset" != tsan ] || export TSAN_OPTIONS="suppressions=$PWD/tools/tsan-suppressions.txt"

step() { echo; echo "== $*"; }

tools/install-debian.sh test
step "build ($preset)"
cmake --preset "$preset" -DMESSINA_TESTS=ON >/dev/null
cmake --build "$build" -j "$jobs"

step "unit, simulation and replay tests"
ctest --test-dir "$build" --output-on-failure -j "$jobs"

step "messages: golden texts and exit codes"
python3 tests/golden/run.py --build "$build"

step "contract: the client against messina-sim, dynalite and moto"
python3 tests/contract/run.py --build "$build"

step "end to end, with real SDKs"
tests/e2e/run.sh "$build"
