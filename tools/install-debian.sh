#!/usr/bin/env bash
# Installs what messina is built and tested with, on Debian 12 (or newer).
#   tools/install-debian.sh build   what the build needs (default)
#   tools/install-debian.sh demo    that, and what the demo of a live migration needs
#   tools/install-debian.sh package that, and what packaging and its test need
#   tools/install-debian.sh test    what the build, the tests and the checks need
# Packages that are present are left alone, so a second run costs a second.
set -euo pipefail

build=(
  g++ cmake ninja-build make ccache pkg-config
  libboost1.81-dev libssl-dev libsimdjson-dev libyaml-cpp-dev libpugixml-dev libcli11-dev
  libspdlog-dev libfmt-dev libsqlite3-dev librocksdb-dev zlib1g-dev libdeflate-dev
)
test=(
  libgtest-dev libgmock-dev libbenchmark-dev
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev
  python3 python3-venv nodejs npm openssl
)

package=(dpkg-dev file debootstrap)
demo=(python3 python3-venv)

wanted=("${build[@]}")
case "${1:-build}" in
  build) ;;
  test) wanted+=("${test[@]}") ;;
  demo) wanted+=("${demo[@]}") ;;
  package) wanted+=("${package[@]}") ;;
  *) echo "usage: $0 [build|demo|test|package]" >&2; exit 2 ;;
esac

missing=()
for name in "${wanted[@]}"; do
  # A machine may have Node.js from elsewhere; the command is what counts.
  case "$name" in
    nodejs) command -v node >/dev/null && continue ;;
    npm) command -v npm >/dev/null && continue ;;
  esac
  dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "these packages are missing, and neither root nor sudo is at hand: ${missing[*]}" >&2
    echo "install them as root, then run this again" >&2
    exit 2
  }
  sudo=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
