#!/bin/sh
# benches/soak.sh [SECONDS]: mixed calls and registrations against siphon-proxy as `make run` builds it, for 600 s or as
# long as is said. Fails when one of them fails or when memory grows.
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet -p siphon-proxy -p siphon-bench
exec target/debug/siphon-bench --soak "${1:-600}" --siphon target/debug/siphon-proxy
