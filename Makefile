# Gatehouse. `make` builds build/gatehouse; sources are found, not listed.
.DEFAULT_GOAL := all
SHELL := /bin/bash
CC ?= cc
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
VERSION := 0.1.0

BUILD := $(if $(SANITIZE),build/asan,build)
DEPENDENCIES := openssl jansson libconfuse libpq
comma := ,
OPTIMIZE := $(if $(SANITIZE),-O1 -fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined,-O2)
WARNINGS := -Wall -Wextra -Wshadow -Wswitch-enum -Wmissing-prototypes -Wstrict-prototypes \
	-Wvla -Wformat=2 -Wundef -Werror

# llhttp: the system's library where there is one, else the sources of Debian's node-llhttp, strict
ifeq ($(shell pkg-config --exists 'libllhttp >= 9.2' && echo yes),yes)
LLHTTP_CFLAGS := $(shell pkg-config --cflags libllhttp)
LLHTTP_LIBS := $(shell pkg-config --libs libllhttp)
LLHTTP_SOURCES :=
else
LLHTTP_CFLAGS := -isystem /usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1
LLHTTP_LIBS :=
LLHTTP_SOURCES := llhttp api http
endif

CPPFLAGS += -I. -D_GNU_SOURCE -DGATEHOUSE_VERSION='"$(VERSION)"' \
	-DGATEHOUSE_CONF='"$(SYSCONFDIR)/gatehouse/gatehouse.conf"' \
	$(LLHTTP_CFLAGS) $(shell pkg-config --cflags $(DEPENDENCIES) 2>/dev/null)
CFLAGS ?= $(OPTIMIZE) -g
ALL_CFLAGS := -std=gnu17 $(WARNINGS) -fno-omit-frame-pointer -fno-strict-aliasing \
	-fstack-protector-strong $(if $(filter x86_64,$(shell uname -m)),-mcx16) $(CFLAGS)
LDLIBS := $(LLHTTP_LIBS) $(shell pkg-config --libs $(DEPENDENCIES) 2>/dev/null) -lpthread -lm
ALL_LDFLAGS := $(if $(SANITIZE),-fsanitize=address$(comma)undefined) -Wl,-z,relro,-z,now $(LDFLAGS)

SOURCES := $(sort $(wildcard shm/*.c upstream/*.c gateway/*.c gateway/*/*.c))
HEADERS := $(sort $(wildcard shm/*.h upstream/*.h gateway/*.h gateway/*/*.h))
MIGRATIONS := $(sort $(wildcard migrations/*.sql))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/migrations.o $(LLHTTP_SOURCES:%=$(BUILD)/llhttp/%.o)
LIBRARY := $(filter-out $(BUILD)/gateway/main.o,$(OBJECTS))

include tests/tests.mk

.PHONY: all run test check bench bench-smoke install clean
all: $(BUILD)/gatehouse

$(BUILD)/gatehouse: $(OBJECTS)
	@echo "  link $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  cc $<"
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# third-party source: our own warnings don't apply
$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	@echo "  cc $<"
	@$(CC) $(LLHTTP_CFLAGS) -std=gnu17 -O2 -g -w -c -o $@ $<

# the migrations are in the binary: no installation can have the wrong ones beside it
$(BUILD)/migrations.c: $(MIGRATIONS) migrations/embed.awk migrations
	@mkdir -p $(@D)
	@awk -f migrations/embed.awk $(MIGRATIONS) >$@

$(BUILD)/migrations.o: $(BUILD)/migrations.c
	@echo "  cc $<"
	@$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)

# installs what is missing, builds, and shows the gateway in front of a demo API; Ctrl-C ends it
run:
	@tests/setup.sh run
	@$(MAKE) --no-print-directory all
	@exec tests/demo/run.sh

check:
	@awk -f tests/layers.awk $(wildcard $(SOURCES) $(HEADERS))
	@awk -f tests/shape.awk $(wildcard $(SOURCES) $(HEADERS))

install: all
	install -D -m 755 $(BUILD)/gatehouse $(DESTDIR)$(PREFIX)/bin/gatehouse
	test -e $(DESTDIR)$(SYSCONFDIR)/gatehouse/gatehouse.conf || \
		install -D -m 640 etc/gatehouse.conf $(DESTDIR)$(SYSCONFDIR)/gatehouse/gatehouse.conf
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed -e 's|/usr/local/bin/|$(PREFIX)/bin/|g' -e 's|/usr/local/etc/|$(SYSCONFDIR)/|g' \
		etc/gatehouse.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/gatehouse.service

clean:
	rm -rf build
