#!/bin/sh
# Installs what is missing, builds, and runs all tests.
#
#   tests/run.sh [PRESET...]             default: release asan
#
#   release, debug   unit tests, all system tests
#   asan             unit tests and the quick system tests, with address and undefined sanitizers
#   tsan             unit tests, with the thread sanitizer
#   fuzz             as asan, and each fuzz target for FUZZ_SECONDS
#
# JOBS (2 or the number of processors), FUZZ_SECONDS (60) and POSTFERRY_KILLS (how often the program
# is killed, 100) may be set.  The last line is "N passed, N failed"; exit status 1 if one failed.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
[ $# -gt 0 ] || set -- release asan
jobs=${JOBS:-$(nproc)}
fuzz_seconds=${FUZZ_SECONDS:-60}
passed=0
failed=0

say() { printf '\n== %s\n' "$*"; }
count() {  # an exit status: one more that passed, or failed
    if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

build() {  # PRESET
    say "$1: building"
    cmake --preset "$1" >"build/$1.configure.log" 2>&1 ||
        { cat "build/$1.configure.log"; echo "configuring $1 failed" >&2; exit 1; }
    cmake --build --preset "$1" -j "$jobs"
}

unit_tests() {  # PRESET
    say "$1: unit tests"
    out=build/$1/ctest.log
    ctest --test-dir "build/$1" --output-on-failure -j "$jobs" 2>&1 | tee "$out"
    bad=$(sed -n 's/^.* tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1/p' "$out")
    all=$(sed -n 's/^.* tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\2/p' "$out")
    [ -n "$all" ] || { failed=$((failed + 1)); return; }
    passed=$((passed + all - bad))
    failed=$((failed + bad))
}

system_tests() {  # PRESET [--quick]
    say "$1: system tests against real servers"
    out=build/$1/system.log
    preset=$1
    shift
    python3 tests/system/run.py --postferry "build/$preset/postferry" "$@" 2>&1 | tee "$out"
    good=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*$/\1/p' "$out" | tail -n 1)
    bad=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*$/\2/p' "$out" | tail -n 1)
    [ -n "$good" ] || { failed=$((failed + 1)); return; }
    passed=$((passed + good))
    failed=$((failed + bad))
}

fuzz_one() {  # PRESET NAME; its words go to a log
    tests/fuzz/fuzz.sh "build/$1/tests/$2" "build/$1/corpus/$2" -max_total_time="$fuzz_seconds" \
        >"build/$1/$2.log" 2>&1
}

fuzz_tests() {  # PRESET
    say "$1: each fuzz target for $fuzz_seconds s"
    names=$(cd tests/fuzz && for source in *_fuzz.cc; do echo "${source%.cc}"; done)
    preset=$1
    # shellcheck disable=SC2086
    set -- $names
    while [ $# -gt 0 ]; do  # as many at a time as there are processors
        running=
        while [ $# -gt 0 ] && [ "$(echo "$running" | wc -w)" -lt "$jobs" ]; do
            fuzz_one "$preset" "$1" &
            running="$running $1:$!"
            shift
        done
        for entry in $running; do
            status=0
            wait "${entry#*:}" || status=$?
            name=${entry%%:*}
            if [ "$status" = 0 ]; then echo "ok   $name"; else
                echo "FAIL $name"
                tail -n 40 "build/$preset/$name.log"
            fi
            count "$status"
        done
    done
}

mkdir -p build
tests/install.sh build system
wants_servers=
for preset in "$@"; do [ "$preset" = tsan ] || wants_servers=yes; done
[ -z "$wants_servers" ] || tests/servers/install.sh

for preset in "$@"; do
    build "$preset"
    unit_tests "$preset"
    case $preset in
        release | debug) system_tests "$preset" ;;
        asan) system_tests "$preset" --quick ;;
        fuzz) system_tests "$preset" --quick; fuzz_tests "$preset" ;;
        tsan) ;;
    esac
done

say "all presets: $*"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
