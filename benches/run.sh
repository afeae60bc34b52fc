#!/bin/sh
# benches/run.sh [ARGUMENTS]: builds the daemon and the benchmark with the release profile and runs a session.
# Everything stays on loopback. Without arguments: all operations, rates, ports; memory and overload too.
set -eu
cd "$(dirname "$0")/.."
. target/siphon.env
echo "bench: building with the release profile (3 to 6 minutes the first time)"
cargo build --quiet --release -p siphon-proxy -p siphon-sbc -p siphon-bench
[ $# -gt 0 ] || set -- --memory --overload --count
exec target/release/siphon-bench "$@"
