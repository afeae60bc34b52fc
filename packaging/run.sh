#!/bin/bash
# packaging/run.sh [PORT [ROLE]]: builds a role, siphon-proxy by default, in the one development profile and starts it on loopback
# with its embedded configuration and script. Ctrl-C stops it.
set -eu -o pipefail
cd "$(dirname "$0")/.."
. target/siphon.env
port=${1:-5060}
role=${2:-siphon-proxy}
word=run
[ "$role" = siphon-proxy ] || word=run-${role#siphon-}

if command -v ss >/dev/null 2>&1; then
    owner=$(ss -H -lntup "sport = :$port" 2>/dev/null | grep -m 1 -E '127\.0\.0\.1|0\.0\.0\.0|\*:|\[::' || true)
    if [ -n "$owner" ]; then
        name=$(printf '%s' "$owner" | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (pid \2)/p')
        echo "run: port $port is taken by ${name:-another process}; choose another with: make $word PORT=5070" >&2
        exit 1
    fi
fi

if [ -x "target/debug/$role" ]; then
    echo "run: building $role (only what changed)"
else
    echo "run: building $role and its dependencies; the first time takes 3 to 5 minutes on two cores"
fi
start=$(date +%s)
cargo build --quiet -p "$role"
echo "run: built in $(($(date +%s) - start)) s"
cat <<TEXT
run: accounts alice (password wonderland) and bob (password builder) in the domain siphon.local
run: log also in target/run.log; call through it from another shell with: make call PORT=$port
run: Ctrl-C stops it
TEXT
# tee must outlive Ctrl-C, or the last lines of the log would have nowhere to go.
SIPHON_PORT=$port SIPHON_LOG=${SIPHON_LOG:-debug} "target/debug/$role" 2>&1 | tee -i target/run.log
