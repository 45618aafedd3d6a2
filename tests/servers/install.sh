#!/bin/sh
# Installs what the tests against real servers need on Debian 12: Dovecot, Postfix and the Cyrus tools as
# packages, and Cyrus's imapd and pop3d unpacked beside them, because as packages the two servers
# remove each other.  Starts no system service; running it again does nothing.
#
#   tests/servers/install.sh [FOLDER]
#
# FOLDER (or $POSTFERRY_SERVERS, else build/servers of this tree) gets the unpacked Cyrus.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${POSTFERRY_SERVERS:-$here/../../build/servers}}
packages="dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd cyrus-common sasl2-bin postfix python3-dkim openssl gcc libc6-dev procps"
unpacked="cyrus-imapd cyrus-pop3d"

fail() { echo "install.sh: $*" >&2; exit 1; }
installed() { [ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = "install ok installed" ]; }

command -v apt-get >/dev/null || fail "this is no Debian: there is no apt-get"
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo -n"

missing=
for package in $packages; do
    installed "$package" || missing="$missing $package"
done

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=
cleanup() {
    rm -f "$log"
    [ -z "$made_policy" ] || $as_root rm -f "$policy"
}
trap cleanup EXIT
quietly() { "$@" >"$log" 2>&1 || { cat "$log" >&2; fail "failed: $*"; }; }

updated=
update() { [ -n "$updated" ] || quietly $as_root apt-get -q update; updated=yes; }

if [ -n "$missing" ]; then
    [ -z "$as_root" ] || $as_root true 2>/dev/null || fail "not root, and sudo is not to be had; missing:$missing"
    if [ ! -e "$policy" ]; then        # the packages' own services must not start
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
        made_policy=yes
    fi
    update
    # shellcheck disable=SC2086
    quietly $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-remove --no-install-recommends install $missing
fi

# The unpacked programs must be of the version of the installed libraries.
version=$(dpkg-query -W -f '${Version}' cyrus-common)
stamp=$folder/cyrus/version
if [ "$(cat "$stamp" 2>/dev/null)" != "$version" ]; then
    rm -rf "$folder/cyrus"
    mkdir -p "$folder/cyrus/download"
    cd "$folder/cyrus/download"
    for package in $unpacked; do
        apt-get -q download "$package=$version" >"$log" 2>&1 || {
            update
            quietly apt-get -q download "$package=$version"
        }
        dpkg -x "$package"_*.deb "$folder/cyrus"
    done
    cd "$folder"
    rm -rf "$folder/cyrus/download"
    for program in imapd pop3d; do
        [ -x "$folder/cyrus/usr/lib/cyrus/bin/$program" ] || fail "no $program in the downloaded packages"
    done
    echo "$version" >"$stamp"
fi
