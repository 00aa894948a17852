# SPDX-License-Identifier: MIT
#
# libFuzzer targets: each tests/fuzz/NAME.c becomes $(B)/fuzz/NAME, with common/, differ/ and
# patcher/ compiled for it by clang under the sanitizers. Its seeds are tests/fuzz/seeds/NAME/, and
# those that tests/fuzz/lib makes in $(B)/fuzz/seeds/NAME/.
#
#   make fuzz                   builds all of them
#   make fuzz-run FUZZ_TIME=60  runs each for so many seconds, one after the other
#   make check                  runs each for a few seconds, two at a time
#
# New inputs go to $(B)/fuzz/NAME.corpus, findings to $(B)/fuzz/findings.

FUZZ_CC    ?= clang-14
FUZZ_TIME  ?= 10
FUZZ_FLAGS := -O1 -g -std=gnu17 -fno-omit-frame-pointer \
	      -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(call sources,tests/fuzz))
FUZZ_PARTS := $(patsubst %.c,$(B)/fuzz/parts/%.o,$(call sources,common) $(call sources,differ) \
	      $(call sources,patcher) tests/fuzz/lib/input.c)
FUZZ_RUN   := $(B)/tests/fuzz/fuzz

.PHONY: fuzz fuzz-run
fuzz: $(addprefix $(B)/fuzz/,$(FUZZ_NAMES)) $(B)/fuzz/seeds/made

$(B)/fuzz/parts/%.o: %.c
	@mkdir -p $(@D)
	@echo "  FUZZ CC $<"
	@$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

$(B)/fuzz/parts.a: $(FUZZ_PARTS)

$(addprefix $(B)/fuzz/,$(FUZZ_NAMES)): $(B)/fuzz/%: $(B)/fuzz/parts/tests/fuzz/%.o $(B)/fuzz/parts.a
	@$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(TOOL_LIBS)

$(B)/tests/fuzz/make_seeds: $(B)/tests/fuzz/lib/make_seeds.o $(B)/tests/lib/small_patch.o $(B)/patcher.a $(B)/common.a
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS)

$(B)/fuzz/seeds/made: $(B)/tests/fuzz/make_seeds tests/fuzz/lib/make-seeds
	@mkdir -p $(@D)
	@$(B)/tests/fuzz/make_seeds $(@D)
	@tests/fuzz/lib/make-seeds $(@D)
	@touch $@

fuzz-run: fuzz
	@FUZZ_TIME=$(FUZZ_TIME) FUZZ_JOBS=1 VGRAFT_BUILD=$(B) tests/fuzz/lib/run $(FUZZ_NAMES)

# Part of `make check`.
$(FUZZ_RUN): fuzz tests/fuzz/lib/run
	@mkdir -p $(@D)
	@printf '#!/bin/sh\nexec env FUZZ_TIME=5 FUZZ_JOBS=2 VGRAFT_BUILD=%s tests/fuzz/lib/run %s\n' \
		'$(B)' '$(FUZZ_NAMES)' > $@
	@chmod +x $@

CHECK_PROGRAMS += $(FUZZ_RUN)
