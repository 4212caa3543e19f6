#!/usr/bin/env bash
# Passes all tests: installs what they need, builds, runs, counts. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

tests/peers/install.sh
results="$(mktemp)"
trap 'rm -f "$results"' EXIT
{
  # What waits for something that never comes, since the code is broken, ends too.
  timeout 45m cargo test --workspace "$@"
  # With a feature of its own, which changes nothing of what is tested above.
  cargo test --package dmgate-interleavings --features loom
} | tee "$results"
awk '
  /^test result:/ { passed += $4; failed += $6 }
  /SKIPPED: / { skipped++ }
  END { print passed + 0 " passed, " failed + 0 " failed" (skipped ? ", " skipped " of them could not be done here" : "") }
' "$results"
