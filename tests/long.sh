#!/usr/bin/env bash
# The long form of each reliability test; `cargo test` runs the short ones. Without a name it says which there are.
# The last results are in docs/RELIABILITY.md.
set -euo pipefail
cd "$(dirname "$0")/.."

# Histories beside the model: 100,000 of up to 50 operations, on each store.
model() {
  DMGATE_MODEL_SEQUENCES=100000 DMGATE_MODEL_LENGTH=50 cargo test --release --test model
}

# Eight processes on one state, a thousand of them killed in the midst of whatever they do.
kills() {
  DMGATE_KILLS=1000 cargo test --release --test torture kills -- --nocapture
}

# Sixteen processes of twenty strangers each, on a thousand channels.
race() {
  DMGATE_RACES=1000 cargo test --release --test crash sixteen -- --nocapture
}

# One process changes who is in, the other one asks: through our store, and by a program that has none of our code.
handshakes() {
  DMGATE_HANDSHAKES=20000 cargo test --release --test torture handshakes -- --nocapture
}

# The power fails under eight processes. Needs root, loop devices, mkfs.ext4 and fsfreeze.
power() {
  DMGATE_POWER_CUTS=200 cargo test --release --test torture power -- --nocapture
}

# A million strangers before full slots: through the library, and to the whole program by long poll, by web hook and
# through the web chat at once. No file is touched, and memory stays as it is.
flood() {
  DMGATE_FLOOD=1000000 cargo test --test advisories g_a_flood
  DMGATE_FLOOD=1000000 cargo test --release -p dmgate-cli --test flood -- --nocapture
}

# Every error at every step of every transaction, half-done writes, and a death before each; with a watch on the files.
faults() {
  DMGATE_FAULTS=all cargo test --test crash steps -- --nocapture
}

# Every order of steps of the protocols between threads, with up to `LOOM_MAX_PREEMPTIONS` (4) interruptions.
interleavings() {
  LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-4}" \
    cargo test -p dmgate-interleavings --features loom -- --nocapture
}

# OpenClaw stopped while it holds its lock, for as long as its rule says by the real clock.
stopped() {
  DMGATE_STOPPED=1 cargo test --test neighbour stopped
}

# Every cut and every flipped bit of every document.
corruption() {
  DMGATE_CORRUPTION_BITS=8 cargo test --test gate corruption
}

# Each fuzz target under libFuzzer for `DMGATE_FUZZ_SECONDS` (600) of a processor, two at a time. Needs the nightly
# toolchain and cargo-fuzz. What it finds interesting stays in target/fuzz for the next run; what it finds wrong is named
# at the end.
fuzz() {
  cargo fuzz --version >/dev/null || { echo "cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2; return 1; }
  local place="${CARGO_TARGET_DIR:-$PWD/target}/fuzz" targets
  mapfile -t targets < <(basename -s .rs fuzz/targets/*.rs)
  local options=(--features libfuzzer --target-dir "$place")
  # Linked eleven times: whole-program optimisation would take longer than it saves.
  export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
  cargo +nightly fuzz build "${options[@]}"
  one() {
    mkdir -p "$place/corpus/$1" "$place/found"
    local code=0
    (
      # The system ends it when its time is over (SIGXCPU); the wall clock would count what others use. What is kept for
      # the whole process looks like a leak, and to search for one takes longer than all else.
      ulimit -St "${DMGATE_FUZZ_SECONDS:-600}"
      "$place/$(rustc -vV | sed -n 's/host: //p')/release/$1" "$place/corpus/$1" "fuzz/corpus/$1" -timeout=300 \
        -detect_leaks=0 -rss_limit_mb=4096 -dict=fuzz/words.dict \
        -artifact_prefix="$place/found/$1-" >"$place/$1.log" 2>&1
      exit
    ) 2>/dev/null || code=$?
    if [ "$code" = 152 ]; then
      echo "$1: no finding, $(grep -o '^#[0-9]*' "$place/$1.log" | tail -1 | tr -d '#') inputs"
    else
      echo "$1: $(grep -o 'ERROR.*\|panicked.*' "$place/$1.log" | tail -1)"
      return 1
    fi
  }
  export -f one
  export place
  printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'one {}'
}

# Each place of the gate, the rules and the file store changed, one at a time, and shown to the tests that reach it.
# What became of each is in target/mutants/result; a run that was stopped goes on from there, with the sources as they
# were: remove target/mutants to begin anew. Needs python3; cargo-mutants, which lists the changes, is built where it is
# missing.
mutants() {
  local place="${CARGO_TARGET_DIR:-$PWD/target}/mutants"
  export PATH="$place/tools/bin:$PATH"
  cargo mutants --version 2>/dev/null || cargo install cargo-mutants --locked --root "$place/tools"
  if [ ! -d "$place/python" ]; then
    python3 -m venv "$place/python"
    "$place/python/bin/pip" install -q tree-sitter==0.26.1 tree-sitter-rust==0.24.2
  fi
  if [ ! -d "$place/sources" ]; then
    mkdir -p "$place/sources"
    git ls-files -z | tar c --null -T - | tar x -C "$place/sources"
    cargo mutants --list --json -p dmgate >"$place/list.json"
  else
    echo "going on with the sources of $(date -r "$place/list.json" +%F)"
  fi
  # Of tests that do one thing many times, some times are enough.
  export DMGATE_MODEL_SEQUENCES=100 DMGATE_HANDSHAKES=20 DMGATE_RACES=1 DMGATE_FLOOD=200 DMGATE_CORRUPTION_BITS=1
  DMGATE_QUICK=6 CARGO_TARGET_DIR="$place/target" "$place/python/bin/python" tests/mutants/together.py \
    "$place/list.json" "$place/sources" "$place/result" \
    dmgate:{lib,store,advisories,gate,model,crash} dmgate-cli:program dmgate:pipeline
}

names() { declare -F | awk '$3 != "names" { print $3 }'; }

if [ $# -eq 0 ]; then
  echo "usage: tests/long.sh all | NAME…, where NAME is one of:"
  names
  exit 2
fi
if [ "$1" = all ]; then mapfile -t chosen < <(names); else chosen=("$@"); fi
for name in "${chosen[@]}"; do
  names | grep -qx "$name" || { echo "there is no \`$name\`; see tests/long.sh" >&2; exit 2; }
  echo "== $name =="
  time "$name"
done
