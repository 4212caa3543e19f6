#!/usr/bin/env bash
# Shows that the stand-ins are like their platforms: the platforms' own client libraries work with them.
#
#   tests/peers/certify.sh [NAME…]
#
# Each script in tests/peers/certify names the npm packages that it needs in a line `// npm: PACKAGE@VERSION …`. They go to
# $DMGATE_PEERS_DIR/certify (`target/peers/certify` when unset), and no script of theirs is run. A script prints what the
# library did, and fails if it could not. The last results are in docs/channels/README.md. Run install.sh first.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
peers_dir=$(realpath -m "${DMGATE_PEERS_DIR:-target/peers}")
place=$peers_dir/certify
node=$(echo "$peers_dir"/node_modules/node-linux-*/bin/node)

cargo build --quiet -p dmgate-test-peers --bin stand-in
stand_in=$(realpath "${CARGO_TARGET_DIR:-target}/debug/stand-in")

mkdir -p "$place"
failed=0
for script in tests/peers/certify/*.mjs; do
    name=$(basename -s .mjs "$script")
    [ "$name" != stand-in ] || continue
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    packages=$(sed -n 's,^// npm: ,,p' "$script")
    # A folder for each, since two libraries may want different versions of a third.
    mkdir -p "$place/$name"
    # shellcheck disable=SC2086 # It is a list.
    npm install --prefix "$place/$name" --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error \
        $packages >/dev/null
    cp tests/peers/certify/stand-in.mjs "$script" "$place/$name/"
    if ! timeout 120 "$node" "$place/$name/$name.mjs" "$stand_in" | sed "s,^,$name ($packages): ,"; then
        echo "$name ($packages): FAILED"
        failed=1
    fi
done
exit $failed
