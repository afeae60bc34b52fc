#!/bin/sh
# packaging/deny.sh: cargo-deny over the workspace with deny.toml. Installs it into target/tools when it is not there,
# which takes some minutes; that is why it is no stage of `make test`.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/target/tools/bin:$PATH"
if ! command -v cargo-deny >/dev/null 2>&1; then
    echo "deny: installing cargo-deny into target/tools (5 minutes on two cores)"
    cargo install --quiet --locked cargo-deny --root target/tools
fi
exec cargo deny check licenses sources bans
