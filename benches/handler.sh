#!/bin/sh
# What a handler costs: instructions per step, counted by callgrind, and nanoseconds of processor time (best of twenty rounds).
# Run it in the tree; the release profile is the one of the daemon. FEATURES=abi3 measures the build that the wheel has.
set -eu
cd "$(dirname "$0")/.."
built=$(cargo test --release -p libsiphon --lib ${FEATURES:+--features "$FEATURES"} --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
test="script::tests::cost::a_handler_costs_microseconds_at_most"
"$built" "$test" --exact --nocapture | grep 'ns of processor time'
count() {
    SIPHON_COST="$1:$2" valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
        --toggle-collect='*counted_answer*' --toggle-collect='*counted_steps*' \
        "$built" "$test" --exact 2>&1 | sed -n 's/.*Collected : *//p'
}
for scenario in no-handler:1 drop:1 typical:1 async-never-awaits:1 async-steps:17 fork:1 typical-on-reply:1; do
    name=${scenario%:*}
    few=$(count "$name" 200)
    many=$(count "$name" 1200)
    echo "$name: $(((many - few) / 1000 / ${scenario#*:})) instructions per step"
done
