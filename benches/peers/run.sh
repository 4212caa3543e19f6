#!/usr/bin/env bash
# dmgate and its peers at the same work, on this machine, in one run.
#
#   benches/peers/run.sh            prints a table
#   benches/peers/run.sh --write    puts it into docs/PEERS.md, too, and draws docs/peers.svg
#
# Peers are installed by name from the public registries into $DMGATE_BENCH_DIR (`target/bench-peers` when unset), and
# no script of theirs is run at that. What is there already is left alone. A peer that can't be installed or driven
# becomes a row that says why.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
drivers=$PWD/benches/peers
mkdir -p "${DMGATE_BENCH_DIR:=target/bench-peers}"
dir=$(cd "$DMGATE_BENCH_DIR" && pwd)
results=$dir/results.tsv
errors=$dir/errors
# Seconds that a driver has for one number of senders.
limit=300

node_version=24.21.0
openclaw_file=2026.3.28 # keeps files, as dmgate does
openclaw_newest=2026.9.6
hermes=0.19.0
nanobot=0.3.5
qwen=0.23.4
zeroclaw=$(sed -n 's/^zeroclaw-config = .*"=\(.*\)", .*/\1/p' "$drivers/zeroclaw.toml")

# Progress is said here: what programs say to stderr is kept for the case that they fail.
exec 3>&2

# Does something for a system. Where that fails, the results say so, and no more is done for it.
declare -A failed=()
try() {
    local system=$1 status=0
    shift
    "$@" >>"$results" 2>"$errors" || status=$?
    [ $status -ne 0 ] || return 0
    failed[$system]=yes
    [ $status -ne 124 ] || echo "took longer than $limit s" >"$errors"
    printf '%s\t%s\tfailed\t%s\t\n' "$system" "${senders-}" "$(reason)" | tee -a "$results" >&3
}

# The last error that was told, or else the last line, fit for a table.
reason() {
    { grep -i error "$errors" | grep -v 'complete log' || grep . "$errors" || echo "ended with $status"; } |
        tail -n 1 | tr '\t|' ' /'
}

npm_has() { grep -qs "\"version\": \"$3\"" "$1/node_modules/$2/package.json"; }

npm_package() { # a folder's name, a package, its version
    npm_has "$dir/$1" "$2" "$3" && return
    echo "installing $2 $3 …" >&3
    npm install --prefix "$dir/$1" --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error "$2@$3"
}

# A package without what it asks for, and the few that its store needs: the rest is what the whole agent needs.
python_package() { # a folder's name, a package, its version, what its store needs
    local home=$dir/$1 package=$2 version=$3
    shift 3
    compgen -G "$home/lib/*/site-packages/${package//-/_}-$version.dist-info" >/dev/null && return
    echo "installing $package $version …" >&3
    python3 -m venv "$home" &&
        "$home/bin/pip" install --quiet --only-binary :all: "$@" &&
        "$home/bin/pip" install --quiet --only-binary :all: --no-deps "$package==$version"
}

build_zeroclaw() {
    echo "building zeroclaw's driver …" >&3
    mkdir -p "$dir/zeroclaw"
    cp -u "$drivers/zeroclaw.rs" "$drivers/measure.rs" "$dir/zeroclaw"
    cp -u "$drivers/zeroclaw.toml" "$dir/zeroclaw/Cargo.toml"
    cargo build --quiet --release --manifest-path "$dir/zeroclaw/Cargo.toml" --target-dir "$dir/zeroclaw/target"
}

# Runs a driver on an empty folder, far from anything of the user's.
drive() {
    local system=$1 state=$dir/state
    shift
    [ -z "${failed[$system]-}" ] || return 0
    echo "$system, $senders senders …" >&3
    rm -rf "$state"
    mkdir -p "$state"
    try "$system" timeout "$limit" env HOME="$state" NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1 \
        "$@" "$system" "$senders" "$state"
}

install() {
    # The tests have one of them, and it is large.
    local tests
    tests=$(realpath -m "${DMGATE_PEERS_DIR:-target/peers}")
    if npm_has "$tests" openclaw $openclaw_file; then ln -sfn "$tests" "$dir/openclaw-$openclaw_file"; fi

    node_package=node-linux-$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
    node=$dir/node/node_modules/$node_package/bin/node
    try "Node $node_version" npm_package node "$node_package" $node_version
    try "OpenClaw $openclaw_file" npm_package openclaw-$openclaw_file openclaw $openclaw_file
    try "OpenClaw $openclaw_newest" npm_package openclaw-$openclaw_newest openclaw $openclaw_newest
    try "Hermes $hermes" python_package hermes hermes-agent $hermes pyyaml requests
    try "nanobot $nanobot" python_package nanobot nanobot-ai $nanobot \
        loguru pydantic pydantic-settings tzlocal httpx tiktoken
    try "qwen-code $qwen" npm_package qwen @qwen-code/channel-base $qwen
    try "zeroclaw $zeroclaw" build_zeroclaw
    echo "building dmgate …" >&3
    dmgate=$(cargo bench --quiet --bench peers --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\/deps\/peers-[^"]*\)".*/\1/p')
}

run() {
    local openclaw
    for senders in 10 1000 10000 100000; do
        drive dmgate "$dmgate"
        for openclaw in $openclaw_file $openclaw_newest; do
            drive "OpenClaw $openclaw" "$node" "$drivers/openclaw.mjs" "$dir/openclaw-$openclaw/node_modules/openclaw"
        done
        drive "Hermes $hermes" "$dir/hermes/bin/python" "$drivers/hermes_agent.py"
        drive "nanobot $nanobot" "$dir/nanobot/bin/python" "$drivers/nanobot_ai.py"
        drive "qwen-code $qwen" "$node" "$drivers/qwen.mjs" "$dir/qwen/node_modules/@qwen-code/channel-base"
        drive "zeroclaw $zeroclaw" "$dir/zeroclaw/target/release/zeroclaw"
    done
}

printf 'about\t%s cores, Linux %s, %s, load %s at the start\n' "$(nproc)" "$(uname -r | cut -d . -f 1,2)" \
    "$(df --output=fstype "$dir" | tail -n 1)" "$(cut -d ' ' -f 1 /proc/loadavg)" >"$results"
install
run
python3 -B "$drivers/report.py" "$results" "$@"
