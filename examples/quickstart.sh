#!/bin/sh
# See postferry work, on a bare Debian 12: installs what is missing, builds, starts two private
# Dovecot servers with sample mail on this machine, carries an IMAP and a POP3 account from one to
# the other, does it again (nothing is copied), verifies, and takes the servers away.
#
#   examples/quickstart.sh
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
postferry=build/release/postferry

say() { if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
show() { echo "\$ $*"; "$@"; }

say "1. Building postferry"
tests/install.sh build serve
mkdir -p build
cmake --preset release >build/release.configure.log 2>&1 || { cat build/release.configure.log >&2; exit 1; }
cmake --build --preset release --target postferry

say "2. Two mail servers, the old one with sample mail"
work=$(mktemp -d /var/tmp/postferry-quickstart-XXXXXX)
chmod 755 "$work"
cleanup() {
    for server in old new; do
        [ ! -d "$work/$server" ] || python3 tests/servers/dovecot.py stop "$work/$server" || true
    done
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
told() {  # SERVER KEY: what dovecot.py says of a server
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/$1.json" "$2"
}
python3 tests/servers/dovecot.py start "$work/old" >"$work/old.json"
python3 tests/servers/dovecot.py start "$work/new" >"$work/new.json"
python3 tests/servers/load.py mixed "$(told old imap)" ann messages=1500 folders=9
python3 tests/servers/load.py small "$(told old imap)" bob count=200
echo "ann has mail in nine folders, bob 200 messages in a POP3 maildrop."

POSTFERRY_SOURCE_PASSWORD=$(told old password)
POSTFERRY_TARGET_PASSWORD=$(told new password)
XDG_STATE_HOME=$work/state
export POSTFERRY_SOURCE_PASSWORD POSTFERRY_TARGET_PASSWORD XDG_STATE_HOME
old="imaps://ann@localhost:$(told old imaps)?ca=$(told old ca)"
old_pop="pop3s://bob@localhost:$(told old pop3s)?ca=$(told old ca)"
new="imaps://ann@localhost:$(told new imaps)?ca=$(told new ca)"
new_bob="imaps://bob@localhost:$(told new imaps)?ca=$(told new ca)"

say "3. Ann's mailbox, from IMAP to IMAP"
show $postferry copy "$old" "$new"

say "4. Bob's maildrop, from POP3 to IMAP"
show $postferry copy "$old_pop" "$new_bob"

say "5. The same again: there is nothing to do"
show $postferry copy "$old" "$new"
show $postferry copy "$old_pop" "$new_bob"

say "6. Is it a true copy? Asked over IMAP, by a program that shares no code with postferry"
python3 tests/servers/verify.py "$(told old imap)" ann "$(told new imap)" ann
python3 tests/servers/verify.py "$(told old imap)" bob "$(told new imap)" bob --content-only

say "Equal. The servers are stopped and their mail is removed; postferry stays at $postferry."
