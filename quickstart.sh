#!/usr/bin/env bash
# Sets the service up and runs it. Needs Python 3.11 or newer, and nothing else.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
venv=$top/.venv
log=$venv/quickstart.log
backend=$top/backend
frontend=$top/frontend
needed_kb=700000 # what .venv takes, wheels on their way included

usage() {
    cat <<'END'
Usage: ./quickstart.sh [--port N] [--data DIR] [--workers N] [--host H] [--auth]
                              set up if needed, then run the service and its page in the
                              foreground: open http://127.0.0.1:8000
                              --auth: closed, with a secret and a first key made for it
       ./quickstart.sh demo [--players N] [--rate R] [--seconds S]
                              fill the running service, then play live traffic on it
       ./quickstart.sh watch [--player ID] [--top N]
                              the live board in the terminal
       ./quickstart.sh verify compare ledger, board and index; check the audit log
       ./quickstart.sh export standings|games|players FILE
                              rows for other programs, as CSV or NDJSON
       ./quickstart.sh import games FILE [--dry-run]
                              another system's games; run again, they count once
       ./quickstart.sh keys create|list|rotate|revoke
                              API keys
       ./quickstart.sh boards list|set
                              who may read a board, and send scores to it
       ./quickstart.sh audit  who changed what, when and why
       ./quickstart.sh test   set up and run all checks and tests, in a browser too
       ./quickstart.sh bench [--quick]
                              measure the service on servers of its own
       ./quickstart.sh COMMAND --help
                              all options of a command (also serve, rebuild, migrate)

Everything is kept in this folder: .venv/, data/, frontend/node_modules/ and frontend/dist/.
Environment: PYTHON (an interpreter to use), DATABASE_URL and REDIS_URL (servers of your own),
AUTH_MODE and AUTH_SECRET (or AUTH_SECRET_FILE), LEADERBOARD_KEY (for demo and watch),
WEB_DIR (a built app to serve; empty for none), CHROMIUM (a browser for the tests).
END
}

fail() {
    printf 'quickstart: %s\n' "$1" >&2
    exit 1
}

# The interpreter for .venv: the first that is new enough and can make one.
find_python() {
    local name found='' can_make='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
    for name in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        command -v "$name" >/dev/null 2>&1 || continue
        if "$name" -c "$can_make" >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            found=$name
        fi
    done
    [ -z "$found" ] ||
        fail "$found lacks its venv module: install it (Debian, Ubuntu: apt install python3-venv)"
    fail "no Python 3.11 or newer was found (tried python3 and python3.11 to python3.14)"
}

# What .venv must have been made from; another folder counts, as scripts name their interpreter.
fingerprint() {
    "$venv/bin/python" -I -c 'import hashlib, sys
digest = hashlib.sha256(sys.argv[1].encode())
for name in sys.argv[2:]:
    with open(name, "rb") as file:
        digest.update(file.read())
print(digest.hexdigest())' "$top $(readlink "$venv/bin/python")" "$1" "$backend/pyproject.toml"
}

is_current() { # <requirements file>
    [ -x "$venv/bin/leaderboard" ] || return 1
    local want
    want=$(fingerprint "$1" 2>/dev/null) || return 1
    [ "$(cat "$venv/stamp-$(basename "$1" .txt)" 2>/dev/null)" = "$want" ]
}

say() { # one line, written over on a terminal
    if [ -t 2 ]; then
        printf '\r\033[Kquickstart: %s' "$1" >&2
    else
        printf 'quickstart: %s\n' "$1" >&2
    fi
}

say_last() { # <what>: and the terminal goes on below
    say "$1"
    [ ! -t 2 ] || printf '\n' >&2
}

# The line of the log that tells most: vite's, npm's first that is more than a code, pip's last.
why() {
    {
        sed -n '/^error during build/,$ s/\x1b\[[0-9;]*m//gp' "$log" | grep -E '^\['
        grep -E '^npm error ' "$log" | grep -vE '^npm error (code|errno|syscall|network )'
        grep -i 'error' "$log" | tail -n 1
    } | head -n 1
}

# Runs a step quietly; if it fails, says why in one line and where the rest is.
step() { # <what> <command...>
    local what=$1 code=0 seconds=0 pid
    shift
    say "$what ..."
    "$@" >>"$log" 2>&1 9>&9 &
    pid=$!
    if [ -t 2 ]; then
        while kill -0 "$pid" 2>/dev/null; do
            say "$what ... $seconds s"
            seconds=$((seconds + 1))
            sleep 1
        done
    fi
    wait "$pid" || code=$?
    [ "$code" -eq 0 ] && return
    [ ! -t 2 ] || printf '\n' >&2
    if grep -qi 'no space left\|disk quota exceeded' "$log" 2>/dev/null; then
        fail "the disk is full: $what failed"
    fi
    fail "$what failed: $(why) (see $log)"
}

# One set-up at a time, others wait for it. The lock belongs to the open file that this shell and
# its children share, so it is gone when they are, however they end.
with_lock() { # <function> [argument]
    mkdir -p "$venv" 2>/dev/null || fail "cannot create $venv: is the disk full or read-only?"
    exec 9>"$venv/quickstart.lock" || fail "cannot write $venv/quickstart.lock"
    local python=$venv/bin/python
    "$python" -c '' >/dev/null 2>&1 || python=$(find_python)
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    "$@"
    exec 9>&-
}

need_room() { # <where> <kB>
    local free
    free=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$2" ] ||
        fail "the disk is full: $((free / 1024)) MB free in $top, $(($2 / 1024)) MB are needed"
}

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input "$@"
}

install() { # <requirements file>
    if is_current "$1"; then return; fi # another run was quicker
    local stamp
    stamp=$(basename "$1" .txt)
    need_room "$venv" "$needed_kb"
    : >"$log" || fail "cannot write $log"
    if ! "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>>"$log"; then
        local python
        python=$(find_python)
        # All but the lock that is held: what another Python left, or half a set-up.
        find "$venv" -mindepth 1 -maxdepth 1 ! -name quickstart.lock ! -name quickstart.log \
            -exec rm -rf {} +
        step "making .venv with $python" "$python" -m venv "$venv"
    fi
    rm -f "$venv"/stamp-*
    # The file has all there is to install. Were it to look for what a package asks for, pip would
    # refuse `coverage[toml]` as soon as there is a newer coverage than the one that is pinned.
    step "installing $(grep -c '==' "$1") pinned packages into .venv" \
        pip install --no-deps --require-hashes -r "$1"
    step "installing the service" \
        pip install --no-build-isolation --no-deps -e "$backend"
    # The packages for tests include those for running.
    fingerprint "$backend/requirements.txt" >"$venv/stamp-requirements"
    [ "$stamp" = requirements ] || fingerprint "$1" >"$venv/stamp-$stamp"
    say_last "set up."
}

setup() { # <requirements file>
    is_current "$1" && return
    with_lock install "$1"
}

# All checks, then all tests; what each of them concluded stands last.
run_tests() { # <pytest's arguments...>
    failed=
    output=$(mktemp -d "${TMPDIR:-/tmp}/quickstart.XXXXXX") || fail "cannot write to ${TMPDIR:-/tmp}"
    trap 'rm -rf "$output"' EXIT
    export NO_COLOR=1 # the closing lines are read below
    run check "$backend/scripts/check"
    run app-check check_app
    run pytest "$backend/scripts/test" "$@"
    find_nginx || echo "tests of Nginx: NOT RUN (no nginx found: install one, or set NGINX)" |
        tee -a "$output/pytest"
    run vitest in_frontend test
    if find_chromium; then
        run playwright in_frontend run e2e
    else
        echo "browser tests: NOT RUN (no Chromium found: install one, or set CHROMIUM)" |
            tee "$output/playwright"
    fi
    printf '\n'
    conclude check '^check: '
    conclude app-check '^size: '
    conclude pytest '^[=0-9].* in [0-9.]+s|NOT RUN'
    conclude vitest '^ *(Test Files|Tests) '
    conclude playwright '^ +[0-9]+ (passed|failed|flaky|skipped|interrupted|did not run)|NOT RUN'
    [ -z "$failed" ]
}

run() { # <name> <command...>
    local name=$1
    shift
    "$@" 2>&1 | tee "$output/$name" || failed="$failed $name"
}

conclude() { # <name> <what its closing lines look like>
    case " $failed " in *" $1 "*) echo "== $1: FAILED" ;; *) echo "== $1" ;; esac
    grep -E "$2" "$output/$1" || true
}

# shellcheck source=frontend/scripts/setup.sh
source "$frontend/scripts/setup.sh"

case ${1:-} in
help | -h | --help)
    usage
    ;;
test)
    setup "$backend/requirements-dev.txt"
    with_lock set_up_app_tests
    with_lock set_up_nginx
    shift
    run_tests "$@"
    ;;
bench)
    setup "$backend/requirements.txt"
    shift
    cd "$backend"
    exec "$venv/bin/python" -m benchmarks "$@"
    ;;
'' | -*)
    setup "$backend/requirements.txt"
    set_up_app
    LEADERBOARD_PLACE=quickstart exec "$venv/bin/leaderboard" serve "$@"
    ;;
serve | demo | watch | verify | backup | restore | export | import | rebuild | migrate | keys | boards | audit)
    setup "$backend/requirements.txt"
    [ "$1" != serve ] || set_up_app
    LEADERBOARD_PLACE=quickstart exec "$venv/bin/leaderboard" "$@"
    ;;
*)
    fail "there is no command '$1' (see ./quickstart.sh --help)"
    ;;
esac
