#!/usr/bin/env bash
# The checks that need no build: formatting and layering. `tools/check.sh tidy` runs clang-tidy over the compile
# commands of build/asan as well (long).
set -euo pipefail
cd "$(dirname "$0")/.."
tools/install-debian.sh test

sources=$(git ls-files '*.h' '*.cc' '*.ipp')
echo "clang-format: $(wc -w <<<"$sources") files"
xargs clang-format-19 --dry-run --Werror <<<"$sources"
tests/layering.py

if [ "${1:-}" = tidy ]; then
  cmake --preset asan >/dev/null
  # The precompiled header must exist before clang-tidy can use the compile commands.
  cmake --build build/asan --target messina_pch
  git ls-files 'src/*.cc' 'sim/*.cc' | grep -v _test.cc | xargs -P "$(nproc)" -n 4 clang-tidy-19 -p build/asan --quiet
fi
