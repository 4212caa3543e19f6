#!/usr/bin/env bash
# Shows that the stand-ins are like their platforms: the platforms' own client libraries work with them.
#
#   tests/peers/certify.sh [NAME…]
#
# Each script in tests/peers/certify names the packages that it needs in a line `// npm: PACKAGE@VERSION …`, or in Python
# `# pypi: PACKAGE==VERSION …`. They go to $DMGATE_PEERS_DIR/certify (`target/peers/certify` when unset); no script of theirs
# is run, and nothing is built. A script prints what the library did, and fails if it could not. At the end there is a row for
# each, as in the table of docs/channels/README.md, where the last results are. Run install.sh first.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
peers_dir=$(realpath -m "${DMGATE_PEERS_DIR:-target/peers}")
place=$peers_dir/certify
node=$(echo "$peers_dir"/node_modules/node-linux-*/bin/node)

cargo build --quiet -p dmgate-test-peers --bin stand-in
stand_in=$(realpath "${CARGO_TARGET_DIR:-target}/debug/stand-in")

mkdir -p "$place"
failed=0
rows=()
for script in tests/peers/certify/*.mjs tests/peers/certify/*.py; do
    file=$(basename "$script")
    name=${file%.*}
    [ "$name" != stand-in ] && [ "$name" != stand_in ] || continue
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    # A folder for each, since two libraries may want different versions of a third.
    mkdir -p "$place/$name"
    cp tests/peers/certify/stand-in.mjs tests/peers/certify/stand_in.py "$script" "$place/$name/"
    # shellcheck disable=SC2086 # The packages are a list.
    case $file in
    *.mjs)
        packages=$(sed -n 's,^// npm: ,,p' "$script")
        npm install --prefix "$place/$name" --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error \
            $packages >/dev/null
        runtime=$node
        ;;
    *.py)
        packages=$(sed -n 's,^# pypi: ,,p' "$script")
        [ -d "$place/$name/venv" ] || python3 -m venv "$place/$name/venv"
        "$place/$name/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: $packages
        runtime=$place/$name/venv/bin/python
        ;;
    esac
    result=ok
    if ! timeout 120 "$runtime" "$place/$name/$file" "$stand_in" | sed "s,^,$name: ,"; then
        result=FAILED
        failed=1
    fi
    rows+=("| $file | ${packages#--legacy-peer-deps } | $(date +%F) | $result |")
done
printf '%s\n' "| script | libraries | date | result |" "|---|---|---|---|" "${rows[@]}"
exit $failed
