#!/bin/bash
# fuzz/run.sh [TARGET]...: libFuzzer on each target (all by default) for SECONDS (60) each, on the stable toolchain.
#
# cargo-fuzz wants a nightly compiler for the address sanitizer, which finds nothing in safe Rust; what libFuzzer needs
# is coverage, and that any compiler gives. What is found is in fuzz/artifacts, and the exit status says whether there
# was something. KEEP=1 adds to fuzz/corpus the fewest inputs that reach all the code that was reached.
set -eu -o pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_EACH:-60}
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
coverage+=" -Cllvm-args=-sanitizer-coverage-trace-compares"
# With --target the flags do not reach build scripts.
RUSTFLAGS="$coverage --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1" \
    cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --target "$host"

mkdir -p fuzz/artifacts
failed=()
for target in "${targets[@]}"; do
    program=target/fuzz/$host/release/$target
    seeds=(fuzz/corpus/"$target")
    if [ "$target" = message ] || [ "$target" = framing ]; then
        seeds+=(tests/data/torture/rfc4475 tests/data/torture/rfc5118)
    fi
    found=target/fuzz/found/$target
    mkdir -p "$found"
    echo "== $target: $seconds s"
    # Leaks are none of a target's promises, and looking for them takes longer than fuzzing.
    "$program" -max_total_time="$seconds" -max_len=8192 -timeout=5 -detect_leaks=0 -print_final_stats=1 \
        -artifact_prefix=fuzz/artifacts/"$target"- "$found" "${seeds[@]}" 2>&1 |
        grep -E 'panicked|ERROR|INITED|DONE|number_of_executed|average_exec|Test unit written|^thread' ||
        failed+=("$target")
    if ls fuzz/artifacts/"$target"-* >/dev/null 2>&1; then failed+=("$target"); fi
    if [ "${KEEP:-0}" = 1 ]; then
        "$program" -set_cover_merge=1 -use_counters=0 -max_len=500 -detect_leaks=0 fuzz/corpus/"$target" "$found" 2>&1 | grep -E 'MERGE-OUTER: [0-9]+ new' || true
    fi
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "something was found by: ${failed[*]} (fuzz/artifacts)"
    exit 1
fi
