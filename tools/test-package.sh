#!/usr/bin/env bash
# Installs the .deb in a bare Debian 12 that debootstrap makes, and copies a table there.
#   tools/test-package.sh build/release
# Needs root, and the packages that `tools/install-debian.sh package` installs. The root is made below the build folder once,
# and copied for each run.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
[ "$(id -u)" -eq 0 ] || { echo "test-package: skipped: a bare root needs debootstrap, and that needs root" >&2; exit 0; }
tools/install-debian.sh package

bare=$build/debian-bare root=$build/debian-root
if [ ! -f "$bare/.complete" ]; then
  rm -rf "$bare"
  mirror=$(apt-get indextargets --format '$(SITE)' 'Codename: bookworm' | head -1)
  debootstrap --variant=minbase bookworm "$bare" "${mirror:-http://deb.debian.org/debian}" >"$build/debootstrap.log"
  # The ways to the packages are those of this machine.
  cp /etc/apt/apt.conf.d/* "$bare/etc/apt/apt.conf.d/" 2>/dev/null || true
  touch "$bare/.complete"
fi
rm -rf "$root"
cp -a "$bare" "$root"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp "$build"/packages/messina_*.deb "$root/tmp/messina.deb"

in_root() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT
in_root apt-get update -qq
in_root apt-get install -y -qq --no-install-recommends /tmp/messina.deb >"$build/package-install.log"
in_root messina --version
in_root bash -n /usr/share/bash-completion/completions/messina
in_root bash /usr/share/doc/messina/demo/copy.sh /usr/bin | tee "$build/package-demo.log"
grep -q '^  written   3,201 items$' "$build/package-demo.log"
in_root apt-get purge -y -qq messina >/dev/null
[ ! -e "$root/usr/bin/messina" ]
echo "the package installs, copies a table and goes without a trace"
