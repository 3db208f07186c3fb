#!/usr/bin/env bash
# The checks beside the tests.
#   tools/check.sh         formatting and layering
#   tools/check.sh tidy    clang-tidy over the rooms without Asio (about 4 minutes; what CI runs)
#   tools/check.sh tidy-all   clang-tidy over everything (about 30 minutes)
set -euo pipefail
cd "$(dirname "$0")/.."
tools/install-debian.sh test

tidy() {
  cmake --preset release -DMESSINA_TESTS=ON >/dev/null
  # The compile commands are g++'s: clang does not know all of its warnings, and takes precompiled headers as headers.
  git ls-files "$@" | grep -v '_test\.cc$' |
    xargs -P "$(nproc)" -n 2 clang-tidy-19 -p build/release --quiet \
      --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-command-line-argument \
      --extra-arg=-Wno-ignored-optimization-argument --extra-arg=-Wno-ignored-gch 2> >(grep -v 'warnings\? generated' >&2)
}

case "${1:-}" in
  "")
    sources=$(git ls-files '*.h' '*.cc' '*.ipp')
    echo "clang-format: $(wc -w <<<"$sources") files"
    xargs clang-format-19 --dry-run --Werror <<<"$sources"
    tests/layering.py
    ;;
  tidy) tidy 'src/item/*.cc' 'src/pace/*.cc' 'src/plan/*.cc' 'src/base/[ehjs]*.cc' ;;
  tidy-all)
    # The header that the precompiled ones are included by is made by the build.
    cmake --preset release -DMESSINA_TESTS=ON >/dev/null
    cmake --build build/release --target messina_pch >/dev/null
    tidy 'src/*.cc' 'sim/*.cc'
    ;;
  *) echo "usage: $0 [tidy|tidy-all]" >&2; exit 2 ;;
esac
