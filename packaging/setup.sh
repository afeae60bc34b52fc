#!/bin/sh
# packaging/setup.sh [run|wheel|test|bench]: installs what a fresh Debian or Ubuntu lacks for that job, and
# notes the Python to build against in target/siphon.env. Quick and silent about it when nothing is lacking.
#
#   run    a C linker and CPython 3.11 or newer with headers
#   wheel  also virtual environments
#   test   also SIPp, Kamailio, baresip and rtpengine: the peers the tests call through the proxy
#   bench  also valgrind, which counts instructions
set -eu
job=${1:-run}
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# True when this interpreter is CPython >= 3.11 with Python.h and a shared library to link.
python_fits() {
    "$1" - 2>/dev/null <<'PY'
import os, sys, sysconfig as s
home = [s.get_config_var("LIBDIR") or ""]
home.append(os.path.join(home[0], s.get_config_var("MULTIARCH") or ""))
header = os.path.join(s.get_paths()["include"], "Python.h")
library = s.get_config_var("LDLIBRARY") or ""
shared = ".so" in library and any(os.path.exists(os.path.join(d, library)) for d in home)
sys.exit(not (sys.version_info >= (3, 11) and os.path.exists(header) and shared))
PY
}

# PYO3_PYTHON where it fits; else the system's own python before whatever PATH puts in front of it,
# because a version manager's build often has no shared library.
find_python() {
    for p in "${PYO3_PYTHON:-}" /usr/bin/python3 /usr/bin/python3.14 /usr/bin/python3.13 \
        /usr/bin/python3.12 /usr/bin/python3.11 "$(command -v python3 || true)"; do
        if [ -n "$p" ] && [ -x "$p" ] && python_fits "$p"; then echo "$p"; return 0; fi
    done
    return 1
}

lacking=
need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || lacking="$lacking $2"
}

need cc build-essential
if ! python=$(find_python); then
    lacking="$lacking python3-dev"
fi
# Debian's own python can make no virtual environment without its package; others bring what it takes.
need_venv() {
    [ -n "${python:-}" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null || lacking="$lacking python3-venv"
}
case $job in
run) ;;
wheel) need_venv ;;
test | bench)
    need_venv
    need sipp sip-tester
    need kamailio kamailio
    need baresip baresip-core
    need rtpengine rtpengine-daemon
    if [ "$job" = bench ]; then need valgrind valgrind; fi
    ;;
*) fail "unknown job '$job': run, wheel, test or bench" ;;
esac

command -v cargo >/dev/null 2>&1 || [ -x "$HOME/.cargo/bin/cargo" ] ||
    fail "no Rust toolchain: install Rust 1.90 or newer (https://rustup.rs) and run this again"

if [ -n "$lacking" ]; then
    command -v apt-get >/dev/null 2>&1 || fail "please install:$lacking (this script knows apt only)"
    if [ "$(id -u)" = 0 ]; then root=; elif command -v sudo >/dev/null 2>&1; then root=sudo; else
        fail "please install:$lacking (that needs root or sudo)"
    fi
    say "installing$lacking"
    # A package that starts its server when installed (kamailio does) would sit on port 5060: installing must not start it.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap '$root rm -f $policy' EXIT INT TERM
        printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
        $root chmod 755 $policy
    fi
    log=$(mktemp)
    install() {
        # shellcheck disable=SC2086
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $lacking
    }
    { $root apt-get update && install; } >"$log" 2>&1 || { tail -n 30 "$log" >&2; fail "apt-get could not install$lacking (log above)"; }
    rm -f "$log"
    # An older release (Ubuntu 22.04) has a newer Python beside its default one.
    if ! python=$(find_python); then
        newer=$(apt-cache --names-only search '^python3\.1[1-9]-dev$' | cut -d' ' -f1 | sort -V | tail -n 1)
        [ -n "$newer" ] || fail "this system offers no Python 3.11 or newer"
        lacking="$newer"
        if [ "$job" != run ]; then lacking="$newer ${newer%-dev}-venv"; fi
        say "installing $lacking"
        install >/dev/null 2>&1 || fail "apt-get could not install $newer"
    fi
fi
python=$(find_python) || fail "no CPython 3.11 or newer with headers and shared library; set PYO3_PYTHON"

mkdir -p target
printf 'export PYO3_PYTHON=%s\nexport PATH="$PATH:$HOME/.cargo/bin:/usr/sbin"\n' "$python" >target/siphon.env.new
cmp -s target/siphon.env.new target/siphon.env && rm target/siphon.env.new || mv target/siphon.env.new target/siphon.env
