#!/usr/bin/env bash
# The long form of each reliability test; `cargo test` runs the short ones. Without a name it says which there are.
# The last results are in docs/RELIABILITY.md.
set -euo pipefail
cd "$(dirname "$0")/.."

# Histories beside the model: 100,000 of up to 50 operations, on each store.
model() {
  DMGATE_MODEL_SEQUENCES=100000 DMGATE_MODEL_LENGTH=50 cargo test --release --test model
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

# OpenClaw stopped while it holds its lock, for as long as its rule says by the real clock.
stopped() {
  DMGATE_STOPPED=1 cargo test --test neighbour stopped
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
