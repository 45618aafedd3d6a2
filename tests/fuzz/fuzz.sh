#!/bin/sh
# Runs one fuzz target with what is known of its inputs.
#
#   tests/fuzz/fuzz.sh BINARY FOUND [OPTION...]
#
# Its seeds are tests/corpus/KIND/REST, or tests/corpus/KIND, for KIND_REST_fuzz. What it finds of
# interest is kept in the directory FOUND, an input that breaks it beside that.
set -eu

binary=$1
found=$2
shift 2
name=${binary##*/}
name=${name%_fuzz}
corpus=$(cd "$(dirname "$0")/../corpus" && pwd)
seeds=$corpus/${name%%_*}
[ ! -d "$seeds/${name#*_}" ] || seeds=$seeds/${name#*_}
mkdir -p "$found"
exec "$binary" -timeout=20 -rss_limit_mb=2048 -artifact_prefix="$found." "$@" "$found" "$seeds"
