# shellcheck shell=bash
# What the scripts share. They work from the project's root, wherever they were called.

project=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$project" || exit
# Who calls PostgreSQL's programs says where they connect; the rest is no caller's to choose.
unset "${!PG@}"

say() { printf '%s\n' "$*" >&2; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# attend COMMAND...: runs it in a session of its own and waits for it. Signals to this script, or to its whole process
# group by a terminal, reach the command exactly once, and the script goes on once the command has ended, with its status.
# Nothing is attended any more after that.
stopping=''
attend() {
    local status
    [[ -z $stopping ]] || return 130
    attended='' signalled='' last_signal=0
    trap 'forward INT' INT
    trap 'forward TERM' TERM
    trap 'forward TERM' HUP
    # A shell without job control starts its background commands with SIGINT ignored.
    env --default-signal=INT,QUIT setsid "$@" &
    attended=$!
    [[ -z $stopping ]] || tell "$stopping"
    while true; do
        signalled=''
        wait "$attended" && status=0 || status=$?
        [[ -n $signalled ]] || break
    done
    attended=''
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    return "$status"
}

# forward SIGNAL: one stop is often told twice, by the group's signal and by make's own, and the server takes a second
# signal as "at once". So what follows within half a second is the same stop.
forward() {
    local now=${EPOCHREALTIME/[.,]/}
    # shellcheck disable=SC2034 # attend reads them
    signalled=$1 stopping=$1
    ((now - last_signal > 500000)) || return 0
    last_signal=$now
    [[ -z $attended ]] || tell "$1"
}

# The command and its children; the command alone while it has no session yet.
tell() { kill -s "$1" -- "-$attended" 2>/dev/null || kill -s "$1" -- "$attended" 2>/dev/null || true; }

# shellcheck disable=SC2034 # the scripts use it
python=.build/test-environment/bin/python

# The packages of the Python tests: kept under .build, and filled anew when the list of them changes.
python_environment() {
    local environment=${python%/bin/python} list=Tests/EndToEnd/requirements.txt
    cmp --silent "$list" "$environment/requirements.txt" && return
    rm -rf -- "$environment"
    python3 -m venv "$environment"
    "$python" -m pip install --quiet --disable-pip-version-check -r "$list"
    cp "$list" "$environment/requirements.txt"
}
