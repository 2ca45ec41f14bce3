# Fuzz targets. `make fuzz T=head SECONDS=60` looks for new inputs with clang's libFuzzer (what it
# learns stays in build/fuzz/learnt); `make fuzz-replay` runs the targets over tests/fuzz/corpus, with any
# compiler, as part of the unit tests.
FUZZ_TARGETS := $(patsubst tests/fuzz/%_fuzz.c,%,$(sort $(wildcard tests/fuzz/*_fuzz.c)))
FUZZ_REPLAYS := $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%_replay)
FUZZ_OPTIONS = -max_total_time=$(or $(SECONDS),60) -timeout=10 -print_final_stats=1 -max_len=4096 \
	-artifact_prefix=build/fuzz/found_$(T)_ $(if $(wildcard tests/fuzz/$(T).dict),-dict=tests/fuzz/$(T).dict)

.PHONY: fuzz fuzz-replay
fuzz-replay: $(FUZZ_REPLAYS)
	@set -e; for t in $(FUZZ_TARGETS); do \
		$(BUILD)/tests/fuzz/$${t}_replay tests/fuzz/corpus/$$t/* 2>$(BUILD)/tests/fuzz/$$t.log || \
		{ tail -n 20 $(BUILD)/tests/fuzz/$$t.log; exit 1; }; done

$(BUILD)/tests/fuzz/%_replay: $(BUILD)/tests/fuzz/%_fuzz.o $(BUILD)/tests/fuzz/replay.o $(LIBRARY)
	@echo "  link $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

fuzz:
	@test -n "$(T)" || { echo "usage: make fuzz T=$(firstword $(FUZZ_TARGETS)) (one of: $(FUZZ_TARGETS))"; exit 2; }
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz \
		OPTIMIZE='-O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined' \
		build/fuzz/tests/fuzz/$(T)_fuzz
	@mkdir -p build/fuzz/learnt/$(T)
	@ASAN_OPTIONS=detect_leaks=$(or $(LEAKS),1) build/fuzz/tests/fuzz/$(T)_fuzz $(FUZZ_OPTIONS) \
		build/fuzz/learnt/$(T) tests/fuzz/corpus/$(T)

$(BUILD)/tests/fuzz/%_fuzz: $(BUILD)/tests/fuzz/%_fuzz.o $(LIBRARY)
	@echo "  link $@"
	@$(CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)

.SECONDARY: $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%_fuzz.o) $(BUILD)/tests/fuzz/replay.o
-include $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%_fuzz.d)
