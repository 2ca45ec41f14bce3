# The test side of the Makefile: unit programs, and what `make test` runs.
UNIT_TESTS := $(patsubst tests/unit/%_test.c,%,$(sort $(wildcard tests/unit/*_test.c)))
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(BUILD)/tests/unit/%_test)

.PHONY: unit
unit: $(UNIT_PROGRAMS) $(if $(T),,fuzz-replay)
	@set -e; for t in $(if $(T),$(BUILD)/tests/unit/$(T)_test,$(UNIT_PROGRAMS)); do $$t; done

$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(LIBRARY)
	@echo "  link $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs check) $(LDLIBS)

-include $(UNIT_PROGRAMS:%=%.d)

include tests/fuzz/fuzz.mk
include tests/torture/torture.mk

# `make test` runs everything; `make test T=shm_cache` the unit test or the story of that name
.PHONY: test modules
test:
	@tests/setup.sh test
	@$(MAKE) --no-print-directory all
ifdef T
	@tests/run_one.sh $(T)
else
	@$(MAKE) --no-print-directory modules
	@$(MAKE) --no-print-directory SANITIZE=1 all
	@tests/run_all.sh
endif

# packages of the Node tests, as the lock file says
modules: tests/node_modules/.installed
tests/node_modules/.installed: tests/package.json tests/package-lock.json
	@cd tests && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Gatehouse beside its peers: CASE=, PEERS=, ROUNDS=, SECONDS=, CONNECTIONS= and THREADS= choose; see
# tests/bench/README.md. bench-smoke only proves that it runs and that every answer was right.
BENCH_OPTIONS = $(if $(CASE),--case $(CASE)) $(if $(PEERS),--peers $(PEERS)) \
	$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) \
	$(if $(CONNECTIONS),--connections $(CONNECTIONS)) $(if $(THREADS),--threads $(THREADS))

# system calls and stages of one request, where strace and perf are there
.PHONY: bench-where
bench-where:
	@tests/setup.sh bench
	@$(MAKE) --no-print-directory all $(BUILD)/bench/load
	@GATEHOUSE_BIN=$(or $(GATEHOUSE_BIN),$(BUILD)/gatehouse) \
		node tests/bench/where.mjs $(if $(CASE),--case $(CASE)) $(if $(SECONDS),--seconds $(SECONDS))

BENCH_PROGRAMS := $(addprefix $(BUILD)/bench/,load exchange_load exchange_check exchange_revoke)
$(BENCH_PROGRAMS): $(BUILD)/bench/%: tests/bench/%.c tests/bench/exchange.h
	@mkdir -p $(@D)
	@echo "  cc $<"
	@$(CC) -std=gnu17 $(WARNINGS) -D_GNU_SOURCE -O2 -g -o $@ $< \
		$(if $(filter %_check,$@),$(shell pkg-config --libs jansson libcrypto))

bench bench-smoke: modules
	@tests/setup.sh bench
	@$(MAKE) --no-print-directory all $(BUILD)/bench/load
	@ulimit -n $$(ulimit -Hn) && GATEHOUSE_BIN=$(or $(GATEHOUSE_BIN),$(BUILD)/gatehouse) \
		node tests/bench/bench.mjs $(BENCH_OPTIONS) $(if $(filter bench-smoke,$@),--smoke)

# the token exchange under load, at fixed rates and at saturation: SIGNING=, RECORDING=, CHOICE= and RATES=
# choose, WARM_UP=, RAMP= and SECONDS= are lengths
EXCHANGE_OPTIONS = $(if $(SIGNING),--signing $(SIGNING)) $(if $(RECORDING),--recording $(RECORDING)) \
	$(if $(CHOICE),--choice $(CHOICE)) $(if $(RATES),--rates $(RATES)) \
	$(if $(WARM_UP),--warm-up $(WARM_UP)) $(if $(RAMP),--ramp $(RAMP)) \
	$(if $(SECONDS),--seconds $(SECONDS))

.PHONY: bench-exchange
bench-exchange: modules
	@tests/setup.sh bench
	@$(MAKE) --no-print-directory all $(BENCH_PROGRAMS)
	@ulimit -n $$(ulimit -Hn) && GATEHOUSE_BIN=$(or $(GATEHOUSE_BIN),$(BUILD)/gatehouse) \
		node tests/bench/exchange.mjs $(EXCHANGE_OPTIONS)
