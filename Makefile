# SPDX-License-Identifier: MIT
#
# The door: `make demo` and `make check` do all their set-up. Everything is built under $(B).
# A folder's *.c become one archive (common, differ, patcher) or one program (cli, vmm);
# each file in tests/unit and tests/live is a program of its own, so that adding a test is adding a file.

B      ?= build
CC     := gcc
prefix ?= /usr/local

MAKEFLAGS += --no-builtin-rules
JOBS := $(shell nproc 2>/dev/null || echo 2)
# The make that the user starts sets the jobs; those below share them.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(JOBS)
endif

# SAN=1 builds everything with AddressSanitizer and UndefinedBehaviorSanitizer, in a folder of its own.
ifdef SAN
override B := $(B)/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

CPPFLAGS := -D_GNU_SOURCE -Iinclude -I.
CFLAGS   ?= -O2 -g
CFLAGS   += -std=gnu17 -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow $(SANFLAGS)
LDFLAGS  += $(SANFLAGS)

TOOL_LIBS  := -lelf -ldwarf -lcapstone -ljansson -lsodium
CHECK_LIBS := -lcheck_pic -lsubunit -lm -lrt -lpthread

sources = $(sort $(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(B)/%.o,$(call sources,$(1)))

ARCHIVES := $(B)/differ.a $(B)/patcher.a $(B)/common.a
UNIT     := $(patsubst %.c,$(B)/%,$(call sources,tests/unit))
LIVE     := $(patsubst %.c,$(B)/%,$(call sources,tests/live))
BENCH    := $(patsubst %.c,$(B)/%,$(call sources,tests/bench))
QEMU     := $(patsubst %.c,$(B)/%,$(call sources,tests/qemu))

.PHONY: all
all: $(B)/vgraft $(B)/vgraft-vmm $(B)/compile_commands.json

$(B)/common.a: $(call objects,common)
$(B)/differ.a: $(call objects,differ)
$(B)/patcher.a: $(call objects,patcher)
$(B)/tests/lib.a: $(call objects,tests/lib)

$(B)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^

$(B)/vgraft: $(call objects,cli) $(ARCHIVES)
	$(CC) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS) -lpthread

$(B)/vgraft-vmm: $(call objects,vmm)
	$(CC) $(LDFLAGS) -o $@ $^ -lpthread

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# A test links the parts whose headers it includes, and what these use.
TESTS      := $(call sources,tests/unit) $(call sources,tests/live) $(call sources,tests/bench) \
	      $(call sources,tests/qemu)
OF_DIFFER  := $(patsubst %.c,$(B)/%,$(shell grep -lE '"differ/|vgraft/differ\.h' $(TESTS) /dev/null))
OF_PATCHER := $(patsubst %.c,$(B)/%,$(shell grep -lE '"patcher/|vgraft/patcher\.h' $(TESTS) /dev/null))

$(UNIT) $(LIVE) $(BENCH) $(QEMU): $(B)/%: $(B)/%.o $(B)/tests/lib.a $(B)/common.a
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(B)/tests/lib.a $(filter %/differ.a %/patcher.a,$^) \
		$(B)/common.a $(TOOL_LIBS) $(CHECK_LIBS)
$(QEMU): CHECK_LIBS += -lz
$(OF_DIFFER): $(B)/differ.a
$(OF_PATCHER): $(B)/patcher.a

.SECONDARY:

include $(wildcard tests/*/*.mk)

# ---- the door: every target below may be given on a machine with nothing but git and make

BUILD_DEPS := gcc libc6-dev make binutils libelf-dev libdwarf-dev libcapstone-dev libjansson-dev libsodium-dev
TEST_DEPS  := g++ zlib1g-dev check libsubunit-dev clang-14 clang lld libclang-rt-14-dev bear ninja-build strace gdb zstd cpio openssl \
              xz-utils e2fsprogs busybox-static util-linux procps libseccomp-dev git patch man-db acpica-tools
LINT_DEPS  := clang-format clang-tidy cppcheck shellcheck
# Debian's QEMU is unpacked, not installed; these are the libraries that it and qemu-img load, and what makes its source ready.
QEMU_DEPS  := libaio1 libbpf1 libcapstone4 libepoxy0 libfdt1 libfuse3-3 libglib2.0-0 libgnutls30 libhogweed6 libibverbs1 \
              libjpeg62-turbo libnettle8 libnuma1 libpixman-1-0 libpmem1 libpng16-16 librdmacm1 libsasl2-2 libseccomp2 \
              libslirp0 libspice-server1 libudev1 liburing2 libvdeplug2 libzstd1 libusb-1.0-0 dpkg-dev xz-utils

.PHONY: deps
deps:
	@tests/lib/install-packages $(BUILD_DEPS) $(TEST_DEPS) $(LINT_DEPS)

.PHONY: deps-qemu
deps-qemu: deps
	@tests/lib/install-packages $(QEMU_DEPS)

.PHONY: check check-run check-san check-corpus
check: deps
	@$(MAKE) --no-print-directory check-run
check-run: all $(UNIT) $(LIVE) $(OLDER_KERNEL) $(CHECK_PROGRAMS)
	@VGRAFT_BUILD=$(B) tests/run $(UNIT) $(CHECK_PROGRAMS) $(LIVE) $(OLDER_KERNEL)

# Unit and live tests with AddressSanitizer and UndefinedBehaviorSanitizer: the tools and the VMM are
# built with them, the targets are not.
check-san: deps
	@$(MAKE) --no-print-directory SAN=1 check-san-run
.PHONY: check-san-run
check-san-run: all $(UNIT) $(LIVE)
	@VGRAFT_BUILD=$(B) tests/run $(UNIT) $(LIVE)

.PHONY: bench bench-run
bench: deps-qemu
	@$(MAKE) --no-print-directory bench-run
bench-run: all $(BENCH) $(BENCH_PROGRAMS)
	@for program in $(BENCH) ; do VGRAFT_BUILD=$(B) $$program || exit 1; done

.PHONY: install
install: $(B)/vgraft $(B)/vgraft-vmm
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/include/vgraft $(DESTDIR)$(prefix)/share/man/man1
	install -m 755 $(B)/vgraft $(B)/vgraft-vmm $(DESTDIR)$(prefix)/bin
	install -m 644 include/vgraft/*.h $(DESTDIR)$(prefix)/include/vgraft
	install -m 644 docs/*.1 $(DESTDIR)$(prefix)/share/man/man1
	install -d $(DESTDIR)$(prefix)/share/man/man5
	install -m 644 docs/*.5 $(DESTDIR)$(prefix)/share/man/man5

ALL_C := $(sort $(foreach folder,common differ patcher cli vmm include/vgraft tests/unit tests/lib tests/live \
	tests/bench tests/bench/lib tests/qemu tests/qemu/effects tests/qemu/guest tests/demo tests/fuzz tests/fuzz/lib tests/corpus,$(wildcard $(folder)/*.c $(folder)/*.h)) $(wildcard tests/guest/*.[ch]))

.PHONY: format lint lint-run
format:
	clang-format -i $(ALL_C)
lint: deps
	@$(MAKE) --no-print-directory lint-run
lint-run: $(B)/compile_commands.json
	@tests/lint $(B) $(ALL_C)

.PHONY: clean
clean:
	rm -rf build

# ---- compile_commands.json: for editors, for clang-tidy, and for `vgraft build` on ourselves

TOOL_SOURCES := $(foreach folder,common differ patcher cli vmm,$(call sources,$(folder)))
TEST_SOURCES := $(foreach folder,tests/lib tests/unit tests/live tests/bench tests/bench/lib tests/demo tests/qemu tests/qemu/effects tests/qemu/guest,$(call sources,$(folder)))

.PHONY: FORCE
$(B)/compile_commands.json: FORCE
	@mkdir -p $(@D)
	@separator='['; for file in $(TOOL_SOURCES) $(TEST_SOURCES); do \
		object="$(B)/$${file%.c}.o"; \
		printf '%s\n{"directory": "%s", "file": "%s", "output": "%s", "command": "%s"}' \
			"$$separator" '$(CURDIR)' "$$file" "$$object" \
			"$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $$object $$file"; \
		separator=','; \
	done > $@.new; printf '\n]\n' >> $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

DEPFILES := $(shell [ ! -d $(B) ] || find $(B) \( -path '$(B)/san' -o -path '$(B)/packages' -o -path '$(B)/qemu' \) \
	-prune -o -type f -name '*.d' -print 2>/dev/null)
-include $(DEPFILES)
