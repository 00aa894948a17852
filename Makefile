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
ifeq ($(filter -j%,$(MAKEFLAGS)),)
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

.PHONY: all
all: $(B)/vgraft $(B)/vgraft-vmm compile_commands.json

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
TESTS      := $(call sources,tests/unit) $(call sources,tests/live) $(call sources,tests/bench)
OF_DIFFER  := $(patsubst %.c,$(B)/%,$(shell grep -lE '"differ/|vgraft/differ\.h' $(TESTS) /dev/null))
OF_PATCHER := $(patsubst %.c,$(B)/%,$(shell grep -lE '"patcher/|vgraft/patcher\.h' $(TESTS) /dev/null))

$(UNIT) $(LIVE) $(BENCH): $(B)/%: $(B)/%.o $(B)/tests/lib.a $(B)/common.a
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(B)/tests/lib.a $(filter %/differ.a %/patcher.a,$^) \
		$(B)/common.a $(TOOL_LIBS) $(CHECK_LIBS)
$(OF_DIFFER): $(B)/differ.a
$(OF_PATCHER): $(B)/patcher.a

.SECONDARY:

include $(wildcard tests/*/*.mk)

DEPFILES := $(shell [ ! -d $(B) ] || find $(B) -name '*.d' -not -path '$(B)/san/*' 2>/dev/null)
-include $(DEPFILES)
