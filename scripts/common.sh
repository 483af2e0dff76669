# shellcheck shell=bash
# Functions of the scripts. All scripts work in the project's root, whatever the caller's directory.

project=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$project" || exit
# The scripts set where PostgreSQL's programs connect; the caller's PG* variables are ignored.
unset "${!PG@}"

say() { printf '%s\n' "$*" >&2; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# attend COMMAND...: runs it in a separate session and waits for it. A signal to this script, or to its whole process group
# from a terminal, reaches the command exactly once. The script continues with the command's status when it has ended. After
# a signal, further commands are not run.
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

# forward SIGNAL: one stop often causes two signals, to the group and from make, and the server stops at once on a second
# signal. So further signals within half a second are ignored.
forward() {
    local now=${EPOCHREALTIME/[.,]/}
    # shellcheck disable=SC2034 # attend reads them
    signalled=$1 stopping=$1
    ((now - last_signal > 500000)) || return 0
    last_signal=$now
    [[ -z $attended ]] || tell "$1"
}

# The command and its children; only the command while it has no session yet.
tell() { kill -s "$1" -- "-$attended" 2>/dev/null || kill -s "$1" -- "$attended" 2>/dev/null || true; }

# shellcheck disable=SC2034 # the scripts use it
python=.build/test-environment/bin/python

# The packages of the Python tests: kept under .build, and installed again when their list changes.
python_environment() {
    local environment=${python%/bin/python} list=Tests/System/requirements.txt
    cmp --silent "$list" "$environment/requirements.txt" && return
    rm -rf -- "$environment"
    python3 -m venv "$environment"
    "$python" -m pip install --no-compile --quiet --disable-pip-version-check -r "$list"
    cp "$list" "$environment/requirements.txt"
}
