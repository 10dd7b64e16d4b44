#!/usr/bin/env bash
# A Ray cluster of several nodes on this machine alone, to try out what a real one does.
#
#   cluster/local.sh 2 -- digits-ray run --address auto   a head and 2 workers for this command; its exit code
#   cluster/local.sh start 2                              the same head and workers, until
#   cluster/local.sh stop                                 ends them, and no other Ray of this machine
#
# The head runs no members (0 CPUs); the workers share out this machine's CPUs, GPUs and memory. Every port is a free
# one and on 127.0.0.1. A token is made for each cluster, since whoever reaches Ray's ports may run any code as you.
set -euo pipefail
umask 077 # the token is nobody else's

here=$(cd "$(dirname "$0")" && pwd)
started=${DIGITS_RAY_LOCAL:-/tmp/digits-ray-$(id -u)} # of `start`; short: paths of Unix sockets end at 107 bytes
patience=120                                          # seconds for a node to start
grace=20                                              # seconds for a node to end

main() {
    case "${1:-}" in
    start) start "${2:-2}" ;;
    stop) stop ;;
    [1-9]*)
        [[ "${2:-}" == -- && $# -gt 2 ]] || usage
        run "$1" "${@:3}"
        ;;
    *) usage ;;
    esac
}

usage() {
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

refuse() {
    echo "local.sh: $1" >&2
    exit "${2:-2}"
}

run() {
    local workers=$1
    shift
    check "$workers"
    folder=$(mktemp -d /tmp/digits-ray.XXXXXX) # for this user alone, which Ray's own folder inside is not
    trap 'end_nodes; rm -rf "$folder"' EXIT
    start_nodes "$workers"
    to_its_end "$@"
}

# Runs a command that Ctrl-C and SIGTERM reach, and returns its exit code when it has really ended.
to_its_end() {
    (
        trap - INT # a background process of a script ignores it otherwise
        exec "$@"
    ) <&0 &
    local child=$! code=0
    trap 'kill -TERM "$child" 2>/dev/null || true' TERM
    trap : INT
    wait "$child" || code=$?
    while kill -0 "$child" 2>/dev/null; do
        code=0
        wait "$child" || code=$?
    done
    return "$code"
}

start() {
    check "$1"
    folder=$started
    mkdir "$folder" 2>/dev/null || refuse "$folder is there already: first end what runs, with \`$0 stop\`."
    trap 'end_nodes; rm -rf "$folder"' EXIT
    start_nodes "$1"
    trap - EXIT
    cat <<TEXT
Next:
  source $folder/env                       the address and the token, for this terminal
  digits-ray run --address auto
  ray job submit --working-dir . -- …      follow it at $RAY_API_SERVER_ADDRESS (the token: ray get-auth-token)
  kill <a worker's process>                and see the run go on
  $0 stop
TEXT
}

stop() {
    folder=$started
    [[ -O $folder && -f $folder/nodes ]] || refuse "nothing to stop: \`$0 start\` has started nothing."
    end_nodes
    rm -rf "$folder"
}

# Refuses what cannot work, before anything is made.
check() {
    local workers=$1
    [[ $workers =~ ^[1-9][0-9]*$ ]] || refuse "$workers workers: a whole number from 1 up is needed."
    command -v ray >/dev/null || refuse "no \`ray\` on the PATH. Activate the environment that digits-ray is installed in."
    command -v ps >/dev/null || refuse "no \`ps\`, which finds the nodes again to end them. Install procps."
    python=$(dirname "$(command -v ray)")/python
}

start_nodes() {
    local workers=$1
    : >"$folder/nodes"
    share_out "$workers"
    begin_env
    start_node head --head --port=0 --dashboard-host=127.0.0.1 --dashboard-port=0 --temp-dir="$folder/ray" \
        --ray-client-server-port="$(free_port)" --num-cpus=0 --num-gpus=0
    finish_env
    local worker
    for worker in $(seq "$workers"); do # one by one: nodes that start together may pick the same names of sockets
        CUDA_VISIBLE_DEVICES=$(gpus_of "$worker" "$workers") \
            start_node "worker-$worker" --address="$RAY_ADDRESS" --num-cpus="$cpus"
        await "worker-$worker"
    done
    echo "Ray at $RAY_ADDRESS: a head and $workers worker(s) of $cpus CPU(s) each; logs in $folder"
    sed 's/^/  process /' "$folder/nodes"
}

# Sets the CPUs of a worker, and the bytes of a node: 30 % for its object store, as Ray takes, the rest for processes.
share_out() {
    read -r cpus store memory < <("$python" -c '
import os, sys
workers = int(sys.argv[1])
share = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (workers + 1)
print(max(1, os.cpu_count() // workers), max(80_000_000, share * 3 // 10), share * 7 // 10)' "$1")
}

# Prints the GPUs of one worker, dealt out like cards: "0,2". Nothing: it has none.
gpus_of() {
    visible_gpus | awk -v worker="$1" -v workers="$2" 'NF && (NR - 1) % workers == worker - 1' | paste -sd, -
}

visible_gpus() {
    if [[ -n ${CUDA_VISIBLE_DEVICES+set} ]]; then
        tr , '\n' <<<"$CUDA_VISIBLE_DEVICES"
    elif command -v nvidia-smi >/dev/null; then
        nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null || true
    fi
}

free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

begin_env() {
    export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
    RAY_AUTH_TOKEN=$("$python" -c 'import secrets; print(secrets.token_hex(32))')
    export RAY_USAGE_STATS_ENABLED=0
    unset RAY_ADDRESS
}

# Reads what ports the head has got, and keeps for other terminals what it takes to reach it.
finish_env() {
    await head
    export RAY_ADDRESS RAY_API_SERVER_ADDRESS
    RAY_ADDRESS=$(cat "$folder/ray/ray_current_cluster")
    RAY_API_SERVER_ADDRESS=$(sed -n "s/.*RAY_API_SERVER_ADDRESS='\([^']*\)'.*/\1/p" "$folder/head.log")
    export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 # drivers take 127.0.0.1 as it is, instead of the machine's own address
    local name
    for name in RAY_ADDRESS RAY_API_SERVER_ADDRESS RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER; do
        echo "export $name=${!name}"
    done >"$folder/env"
}

start_node() {
    local name=$1
    shift
    nohup "$python" "$here/loopback.py" start --block \
        --node-ip-address=127.0.0.1 --min-worker-port=0 --max-worker-port=0 --dashboard-agent-listen-port=0 \
        --object-store-memory="$store" --memory="$memory" "$@" >"$folder/$name.log" 2>&1 </dev/null &
    echo "$! $name" >>"$folder/nodes"
}

# Waits until a node runs; ends with its log if it does not.
await() {
    local name=$1 process second
    process=$(awk -v name="$name" '$2 == name {print $1}' "$folder/nodes")
    for second in $(seq "$patience"); do
        grep -q "Ray runtime started" "$folder/$name.log" && return
        kill -0 "$process" 2>/dev/null || break
        sleep 1
    done
    tail -20 "$folder/$name.log" >&2
    refuse "$name did not start (after $second s)." 1
}

# Ends the nodes that were started here, workers first.
end_nodes() {
    local process name second
    sort -k2r "$folder/nodes" | while read -r process name; do
        is_node "$process" || continue
        kill -TERM "$process" 2>/dev/null || true
        for second in $(seq "$grace"); do
            is_node "$process" || break
            [[ $second -lt $grace ]] || kill -KILL "$process" 2>/dev/null || true
            sleep 1
        done
    done
}

# Whether a process is (still) one of these nodes: numbers of ended processes are given to others.
is_node() {
    ps -p "$1" -o args= 2>/dev/null | grep -q "$here/loopback.py start"
}

main "$@"
