#!/usr/bin/env bash
# The long suites: what `make test` runs, then more of it, then the same under sanitizers. Hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/check.sh
tools/check.sh tidy
MESSINA_SIM_SEEDS=${MESSINA_SIM_SEEDS:-200000} MESSINA_CHAOS_RUNS=${MESSINA_CHAOS_RUNS:-500} \
  MESSINA_MODEL_BOUND=${MESSINA_MODEL_BOUND:-2} tools/test.sh release
MESSINA_SIM_SEEDS=2000 MESSINA_CHAOS_RUNS=10 tools/test.sh asan
MESSINA_SIM_SEEDS=2000 MESSINA_CHAOS_RUNS=10 tools/test.sh tsan
