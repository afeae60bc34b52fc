# One word each. Each also installs what a fresh Debian or Ubuntu lacks for it (root or sudo).
#   make run [PORT=5060]   build siphon-proxy and start it on loopback with its embedded config and script
#   make run-sbc [PORT=5060]   the same for siphon-sbc
#   make call [PORT=5060]  in a second shell: two built-in phones call each other through it
#   make test              everything the project claims, with minutes per stage
#   make check             quick: format, lints, layer guard
#   make wheel             the Python package siphon-sdk, into target/wheels
#   make sim [SEED=n]      the deterministic simulation alone; SEED repeats one run
#   make soak [SECONDS=600]   mixed load for long: nothing may fail, memory must stay flat
#   make fuzz [SECONDS=60]    libFuzzer on each parser target for so long
#   make deny              licences, sources and bans of the dependencies, with cargo-deny
#   make bench             side by side with Kamailio, raw CPU seconds (see benches/README.md)
PORT ?= 5060
SHELL := /bin/sh
ENV := . target/siphon.env;

.PHONY: help run run-sbc call test check wheel sim soak fuzz deny bench
help:
	@sed -n 's/^#   //p' Makefile

run:
	@packaging/setup.sh run
	@packaging/run.sh $(PORT)

run-sbc:
	@packaging/setup.sh run
	@packaging/run.sh $(PORT) siphon-sbc

call:
	@packaging/setup.sh run
	@$(ENV) cargo build --quiet -p siphon-tests --bin siphon-call && target/debug/siphon-call $(PORT) target/run.log

test:
	@packaging/setup.sh test
	@.ci/stages

check:
	@packaging/setup.sh run
	@.ci/stages lint

wheel:
	@packaging/setup.sh wheel
	@packaging/wheel.sh

sim:
	@packaging/setup.sh run
	@.ci/stages sim

soak:
	@packaging/setup.sh run
	@$(ENV) benches/soak.sh $(or $(SECONDS),600)

fuzz:
	@packaging/setup.sh run
	@$(ENV) SECONDS_EACH=$(or $(SECONDS),60) fuzz/run.sh

deny:
	@packaging/setup.sh run
	@$(ENV) packaging/deny.sh

bench:
	@packaging/setup.sh bench
	@benches/run.sh
