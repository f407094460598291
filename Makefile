# leakwatch: build, check and run.  `make help` lists the goals.
#
# `make` builds and never installs anything; `make run` and `make check` install what is missing
# through `make deps`.  Honours CC, CFLAGS, CPPFLAGS, LDFLAGS, DESTDIR, PREFIX and INSTALL from outside.
# SAN=1 builds with the address and undefined-behaviour sanitizers, V=1 shows the commands.

VERSION   := 0.1.0
PREFIX    ?= /usr/local
BINDIR    ?= $(PREFIX)/bin
MANDIR    ?= $(PREFIX)/share/man
SYSCONFDIR?= /etc
DATADIR   ?= $(PREFIX)/share/leakwatch
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
BASHDIR   ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR    ?= $(PREFIX)/share/zsh/site-functions
FISHDIR   ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR   ?= $(PREFIX)/lib/systemd/system
INSTALL   ?= install
PKG_CONFIG?= pkg-config
CFLAGS    ?= -O2 -g
PYTHON    ?= $(shell for p in python3 /usr/bin/python3; do $$p -c 'import pytest' 2>/dev/null && { echo $$p; exit; }; done; echo python3)
TARGET    ?=

BUILD := build$(if $(SAN),-san)$(if $(filter clang%,$(notdir $(CC))),-clang)
Q     := $(if $(V),,@)
say    = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

PACKAGES  := libcurl libevent sqlite3 yaml-0.1 jansson libpcre2-8 libcrypto zlib
WARNINGS  := -Wall -Wextra -Wpedantic -Wdeclaration-after-statement -Wformat-security \
	-Wold-style-definition -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef \
	-Wvla -Wwrite-strings -Wno-overlength-strings
STD       := -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DLEAKWATCH_VERSION='"$(VERSION)"'
,         := ,
SANFLAGS  := $(if $(SAN),-fsanitize=address$(,)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
PKGCFLAGS  = $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
PKGLIBS    = $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)
ALLCFLAGS  = $(STD) $(WARNINGS) $(if $(WERROR),-Werror) -pthread -Ilib -Idaemon $(PKGCFLAGS) \
	$(SANFLAGS) $(CPPFLAGS) $(CFLAGS)
ALLLIBS    = $(PKGLIBS) -lm -pthread

LIB_SRC    := $(sort $(wildcard lib/*.c))
DAEMON_SRC := $(sort $(filter-out daemon/main.c,$(wildcard daemon/*.c)))
GEN_SRC    := $(BUILD)/gen/builtin_rules.c $(BUILD)/gen/sample_config.c
LIB_OBJ    := $(LIB_SRC:%.c=$(BUILD)/%.o) $(GEN_SRC:.c=.o)
DAEMON_OBJ := $(DAEMON_SRC:%.c=$(BUILD)/%.o)
MAIN_OBJ   := $(BUILD)/daemon/main.o
UNIT_SRC   := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN   := $(UNIT_SRC:%.c=$(BUILD)/%)
FUZZ_SRC   := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN   := $(FUZZ_SRC:%.c=$(BUILD)/%)
BENCH_SRC  := $(sort $(wildcard tests/bench/bench_*.c))
BENCH_BIN  := $(BENCH_SRC:%.c=$(BUILD)/%)
SIM_SRC    := $(sort $(wildcard tests/sim/sim_*.c))
SIM_BIN    := $(SIM_SRC:%.c=$(BUILD)/%)
WORLD_OBJ  := $(BUILD)/tests/sim/world.o $(BUILD)/tests/sim/leaks.o $(BUILD)/tests/sim/healthy.o \
	$(BUILD)/tests/sim/prometheus.o

.PHONY: all help deps run check check-all lint golden fuzz bench bench-parse bench-target bench-store bench-large sim torture check-musl install uninstall dist deb clean format
all: $(BUILD)/leakwatch

help:
	@echo 'make            build $(BUILD)/leakwatch'
	@echo 'make run        watch a recorded leaking service; TARGET=HOST:PORT watches that one'
	@echo 'make check      install what tests need, then run all of them; SAN=1 with sanitizers'
	@echo 'make lint       layers, headers, formatting, manual pages'
	@echo 'make deps       install what is missing (YES=1: without asking)'
	@echo 'make golden     rewrite fixtures/golden from fixtures/dumps'
	@echo 'make fuzz       FUZZ_SECONDS=60 of each fuzzer (clang)'
	@echo 'make bench sim  print the benchmarks; print the detector table'
	@echo 'make torture     ROUNDS=10000 of kill -9 under the store; bench-store: its benchmarks'
	@echo 'make bench-parse  how fast dumps are read, beside gostackparse (needs Go; DUMPS=file…)'
	@echo 'make check-musl  the unit tests that need no more than small libraries, on musl'
	@echo 'make bench-target  what scrapes cost the service that is scraped'
	@echo 'make deb        a Debian package of the commit, in build/deb'
	@echo 'make install    DESTDIR, PREFIX, SYSCONFDIR, UNITDIR; uninstall takes the same'

# ---- set-up ------------------------------------------------------------------------------------
deps:
	@sh tools/deps.sh install build check

run:
	@sh tools/deps.sh ensure build
	@$(MAKE) --no-print-directory all
	@sh tools/run.sh $(BUILD)/leakwatch $(BUILD) '$(TARGET)'

check:
	@sh tools/deps.sh ensure build check
	@$(MAKE) --no-print-directory check-all

# ---- building ----------------------------------------------------------------------------------
# Objects are made again when the compiler or the flags change.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','"'"',$(CC) $(ALLCFLAGS))' | cmp -s - $@ || echo '$(subst ','"'"',$(CC) $(ALLCFLAGS))' > $@
.PHONY: FORCE
FORCE:

define embed
	$(call say,EMBED,$<)
	$(Q)mkdir -p $(@D)
	$(Q){ echo '/* Made from $< by the Makefile. */'; \
	  echo 'extern const char $(1)[];'; echo 'const char $(1)[] ='; \
	  sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $<; echo ';'; } > $@.tmp && mv $@.tmp $@
endef
$(BUILD)/gen/builtin_rules.c: etc/leakwatch/rules.yaml
	$(call embed,builtin_rules_yaml)
$(BUILD)/gen/sample_config.c: etc/leakwatch/leakwatch.yaml
	$(call embed,sample_config_yaml)

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c $(BUILD)/flags
	$(Q)$(CC) $(ALLCFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALLCFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libleakwatch.a: $(LIB_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/libdaemon.a: $(DAEMON_OBJ)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/leakwatch: $(MAIN_OBJ) $(BUILD)/libdaemon.a $(BUILD)/libleakwatch.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLCFLAGS) $(LDFLAGS) -o $@ $^ $(ALLLIBS)

# ---- tests -------------------------------------------------------------------------------------
LIBS_FOR_TESTS = $(BUILD)/libdaemon.a $(BUILD)/libleakwatch.a
$(UNIT_BIN): $(BUILD)/%: $(BUILD)/%.o $(LIBS_FOR_TESTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLCFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(ALLLIBS)
$(FUZZ_BIN): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/tests/fuzz/replay.o $(BUILD)/libleakwatch.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLCFLAGS) $(LDFLAGS) -o $@ $^ $(ALLLIBS)
$(BENCH_BIN) $(SIM_BIN): $(BUILD)/%: $(BUILD)/%.o $(LIBS_FOR_TESTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALLCFLAGS) $(LDFLAGS) -o $@ $^ $(ALLLIBS)

$(BUILD)/tests/sim/sim_families: $(WORLD_OBJ)

check-all: all $(UNIT_BIN) $(FUZZ_BIN) $(SIM_BIN)
	@$(PYTHON) tools/check.py --build $(BUILD) --python $(PYTHON) --make '$(MAKE)' $(ONLY)

unit: $(UNIT_BIN)
	@$(PYTHON) tools/check.py --build $(BUILD) --python $(PYTHON) --make '$(MAKE)' unit

lint:
	@$(PYTHON) tools/lint.py --cc '$(CC)' --flags '$(STD) $(WARNINGS) -Ilib -Idaemon $(PKGCFLAGS)'

format:
	find $(wildcard lib daemon tests) -name "*.[ch]" -exec clang-format -i {} +

golden: all
	@$(PYTHON) tests/golden/run.py --rewrite $(BUILD)/leakwatch

FUZZ_SECONDS ?= 60
fuzz:
	@sh tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_SRC)

bench: all $(BENCH_BIN)
	@for b in $(BENCH_BIN); do echo "== $$b"; $$b || exit 1; done

bench-target:
	@[ -x $(BUILD)/e2e/services ] || { echo 'bench-target: make check builds the services first'; exit 1; }
	@$(PYTHON) tests/bench/target_cost.py $(BUILD)/e2e/services

bench-parse: all $(BUILD)/tests/bench/bench_parse $(BUILD)/tests/bench/bench_report
	@$(BUILD)/tests/bench/bench_parse
	@$(BUILD)/tests/bench/bench_report $(BUILD)/leakwatch
	@sh tests/bench/peer.sh $(BUILD) $(DUMPS)

sim: $(SIM_BIN)
	@for b in $(SIM_BIN); do echo "== $$b"; $$b || exit 1; done

# The loop of kill -9 that make check runs 200 rounds of.
torture: $(BUILD)/tests/unit/test_store_faults
	LEAKWATCH_KILLS=$(or $(ROUNDS),10000) $<

bench-store: $(BUILD)/tests/bench/bench_store $(BUILD)/tests/bench/bench_writer
	@$(BUILD)/tests/bench/bench_store && $(BUILD)/tests/bench/bench_writer

# A file of SIZE GiB, made in the build directory and deleted.
bench-large: $(BUILD)/tests/bench/bench_large
	@$< $(or $(SIZE),10) $(BUILD)

# ---- installing --------------------------------------------------------------------------------
install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/leakwatch \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7
	$(INSTALL) -m 0755 $(BUILD)/leakwatch $(DESTDIR)$(BINDIR)/leakwatch
	sed 's,@BINDIR@,$(BINDIR),g' systemd/leakwatch.service > $(BUILD)/leakwatch.service
	$(INSTALL) -m 0644 $(BUILD)/leakwatch.service $(DESTDIR)$(UNITDIR)/leakwatch.service
	for s in 1 5 7; do for m in man/*.$$s; do [ ! -e "$$m" ] || \
		$(INSTALL) -m 0644 "$$m" $(DESTDIR)$(MANDIR)/man$$s/ || exit 1; done; done
	$(INSTALL) -d $(DESTDIR)$(DATADIR)/prometheus $(DESTDIR)$(DATADIR)/samples \
		$(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	$(INSTALL) -m 0644 etc/prometheus/*.yml $(DESTDIR)$(DATADIR)/prometheus
	$(INSTALL) -d $(DESTDIR)$(DATADIR)/grafana
	$(INSTALL) -m 0644 etc/grafana/*.json $(DESTDIR)$(DATADIR)/grafana
	$(INSTALL) -m 0644 etc/samples/*.yaml systemd/samples/*.conf $(DESTDIR)$(DATADIR)/samples
	$(INSTALL) -m 0644 systemd/sysusers.d/leakwatch.conf $(DESTDIR)$(SYSUSERSDIR)/leakwatch.conf
	$(INSTALL) -m 0644 completion/leakwatch.bash $(DESTDIR)$(BASHDIR)/leakwatch
	$(INSTALL) -m 0644 completion/_leakwatch $(DESTDIR)$(ZSHDIR)/_leakwatch
	$(INSTALL) -m 0644 completion/leakwatch.fish $(DESTDIR)$(FISHDIR)/leakwatch.fish
	[ -e $(DESTDIR)$(SYSCONFDIR)/leakwatch/leakwatch.yaml ] || \
		$(INSTALL) -m 0644 etc/leakwatch/leakwatch.yaml $(DESTDIR)$(SYSCONFDIR)/leakwatch/leakwatch.yaml

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/leakwatch $(DESTDIR)$(UNITDIR)/leakwatch.service \
		$(DESTDIR)$(SYSUSERSDIR)/leakwatch.conf $(DESTDIR)$(BASHDIR)/leakwatch \
		$(DESTDIR)$(ZSHDIR)/_leakwatch $(DESTDIR)$(FISHDIR)/leakwatch.fish \
		$(DESTDIR)$(DATADIR)/prometheus/*.yml $(DESTDIR)$(DATADIR)/grafana/*.json \
		$(DESTDIR)$(DATADIR)/samples/*
	-rmdir $(DESTDIR)$(DATADIR)/prometheus $(DESTDIR)$(DATADIR)/grafana \
		$(DESTDIR)$(DATADIR)/samples $(DESTDIR)$(DATADIR)
	for s in 1 5 7; do for m in man/*.$$s; do rm -f $(DESTDIR)$(MANDIR)/man$$s/"$${m##*/}"; done; done

dist:
	git archive --format=tar.gz --prefix=leakwatch-$(VERSION)/ -o leakwatch-$(VERSION).tar.gz HEAD

# Unit tests on another C library; needs musl-tools and the network.
check-musl: $(GEN_SRC)
	@sh tools/musl-check.sh $(BUILD)

# A Debian package of what is committed, in build/deb, checked by lintian.
deb:
	sh tools/deb.sh $(VERSION)

clean:
	rm -rf build build-san build-clang build-san-clang

-include $(wildcard $(BUILD)/lib/*.d $(BUILD)/daemon/*.d $(BUILD)/tests/*/*.d)
.SECONDARY:
