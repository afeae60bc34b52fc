#!/bin/bash
# packaging/wheel.sh [PROFILE]: builds the wheel of siphon-sdk into target/wheels with the tools of target/venv, which it
# makes. PROFILE is `release` (default) or `dev`, which shares its dependencies with the daemon's build.
set -eu -o pipefail
cd "$(dirname "$0")/.."
. target/siphon.env
profile=${1:-release}

tools=target/venv
wanted=$(cat python/requirements-build.txt)
if [ ! -x $tools/bin/maturin ] || [ "$(cat $tools/requirements 2>/dev/null)" != "$wanted" ]; then
    "$PYO3_PYTHON" -m venv $tools
    $tools/bin/pip install --quiet --disable-pip-version-check -r python/requirements-build.txt
    printf '%s' "$wanted" >$tools/requirements
fi
mkdir -p target/wheels
rm -f target/wheels/siphon_sdk-*.whl
began=$(date +%s)
# maturin takes `rustc` and `cargo` from PATH. abi3: any CPython from 3.11 on may be the one it is built with.
PATH=$PWD/$tools/bin:$PATH $tools/bin/maturin build --quiet --profile "$profile" --interpreter "$PYO3_PYTHON" \
    --manifest-path python/Cargo.toml --out target/wheels
echo "wheel: $(ls target/wheels/*.whl) ($(du -h target/wheels/*.whl | cut -f1), profile $profile, $(($(date +%s) - began)) s)"
