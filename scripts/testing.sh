# shellcheck shell=bash
# What the scripts that run tests share, on top of common.sh: phases with their times, a private PostgreSQL.

cluster='' beside='' beside_output='' foreign_plan=''

finish() {
    trap '' INT TERM HUP
    if [[ -n $beside ]]; then
        kill -s TERM -- "$beside" 2>/dev/null || true
        wait "$beside" || true
        cat -- "$beside_output" >&2
    fi
    [[ -z $foreign_plan ]] || rm -f -- "$foreign_plan"
    [[ -z $beside_output ]] || rm -f -- "$beside_output"
    [[ -z $cluster ]] || scripts/cluster remove "$cluster" || true
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# phase NAME COMMAND...: says how long it took, and that it failed.
phase() {
    local name=$1 status=0 began=$SECONDS
    shift
    say "── $name"
    attend "$@" || status=$?
    say "── $name: $( ((status)) && echo "FAILED ($status)" || echo ok), $((SECONDS - began)) s"
    return "$status"
}

# begin_beside COMMAND...: runs it while the script goes on; what it writes is shown by end_beside, which has its status.
begin_beside() {
    beside_output=$(mktemp)
    # In a subshell, which attends its own phases; a failure ends it.
    (
        "$@"
    ) >"$beside_output" 2>&1 &
    beside=$!
}

end_beside() {
    local status=0
    wait "$beside" || status=$?
    beside=''
    cat -- "$beside_output" >&2
    return "$status"
}

# A private cluster under a short path that its owner can reach.
start_cluster() {
    cluster=$(mktemp -d /tmp/items-test.XXXXXX)
    chmod 0711 "$cluster"
    scripts/cluster start --fast "$cluster"
    eval "$(scripts/cluster env "$cluster")"
    export ITEMS_TEST_DB_HOST=$DB_HOST ITEMS_TEST_DB_USER=$DB_USER ITEMS_TEST_DB_NAME=$DB_NAME
    unset DB_HOST DB_USER DB_NAME
}

# SIGINT, whatever was told: on SIGTERM pytest would leave running what its fixtures started.
# shellcheck disable=SC2154 # attend sets it
tell() { kill -s INT -- "-$attended" 2>/dev/null || kill -s INT -- "$attended" 2>/dev/null || true; }
