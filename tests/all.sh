#!/usr/bin/env bash
# Passes all tests: installs what they need, builds, runs. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/peers/install.sh
cargo test --workspace "$@"
