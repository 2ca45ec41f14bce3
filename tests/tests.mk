# The test side of the Makefile: unit programs, and what `make test` runs.
UNIT_TESTS := $(patsubst tests/unit/%_test.c,%,$(sort $(wildcard tests/unit/*_test.c)))
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(BUILD)/tests/unit/%_test)

.PHONY: unit
unit: $(UNIT_PROGRAMS)
	@set -e; for t in $(if $(T),$(BUILD)/tests/unit/$(T)_test,$(UNIT_PROGRAMS)); do $$t; done

$(BUILD)/tests/unit/%_test: $(BUILD)/tests/unit/%_test.o $(LIBRARY)
	@echo "  link $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs check) $(LDLIBS)

-include $(UNIT_PROGRAMS:%=%.d)
