# The torture of shm/: everything is compiled again, with lock points that kill.
TORTURE_SOURCES := $(sort $(wildcard shm/*.c tests/torture/*.c))
TORTURE_OBJECTS := $(TORTURE_SOURCES:%.c=$(BUILD)/torture/%.o)
TORTURE := $(BUILD)/torture/shm_torture
KILLS ?= 1000

.PHONY: torture
torture: $(TORTURE)
	$(TORTURE) $(KILLS)

$(BUILD)/torture/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -DGATEHOUSE_DEBUG_KILL -MMD -MP -c -o $@ $<

$(TORTURE): $(TORTURE_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpthread

-include $(TORTURE_OBJECTS:.o=.d)
