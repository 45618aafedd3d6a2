#!/bin/sh
# Installs the Debian packages of tests/packages.txt that are missing, for the purposes named.
# Says nothing when there is nothing to do.  Starts no service.
#
#   tests/install.sh PURPOSE...          build, serve, system
set -eu

here=$(cd "$(dirname "$0")" && pwd)
fail() { echo "install.sh: $*" >&2; exit 1; }
[ $# -gt 0 ] || fail "give a purpose: build, serve or system"

missing=
for purpose in "$@"; do
    packages=$(awk -v purpose="$purpose" '$1 == purpose { $1 = ""; print }' "$here/packages.txt")
    [ -n "$packages" ] || fail "there is no purpose $purpose in packages.txt"
    for package in $packages; do
        [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] ||
            missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || fail "this is no Debian; install by hand:$missing"
as_root=
if [ "$(id -u)" != 0 ]; then
    as_root=sudo
    command -v sudo >/dev/null || fail "neither root nor sudo; install by hand:$missing"
fi

echo "Installing$missing" >&2
policy=/usr/sbin/policy-rc.d      # the packages' own services must not start
made_policy=
log=$(mktemp)
trap 'rm -f "$log"; [ -z "$made_policy" ] || $as_root rm -f "$policy"' EXIT
quietly() { "$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; fail "failed: $*"; }; }
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    made_policy=yes
fi
quietly $as_root apt-get -q update
# shellcheck disable=SC2086
quietly $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y --no-install-recommends install $missing
