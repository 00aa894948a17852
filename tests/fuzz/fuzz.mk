# SPDX-License-Identifier: MIT
#
# libFuzzer targets: each tests/fuzz/NAME.c becomes $(B)/fuzz/NAME, with common/, differ/ and
# patcher/ compiled for it by clang under the sanitizers. Its seeds are tests/fuzz/seeds/NAME/.
#
#   make fuzz                   builds all of them
#   make fuzz-run FUZZ_TIME=60  runs each for so many seconds; new inputs go to $(B)/fuzz/NAME.corpus

FUZZ_CC    ?= clang-14
FUZZ_TIME  ?= 10
FUZZ_FLAGS := -O1 -g -std=gnu17 -fno-omit-frame-pointer \
	      -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(call sources,tests/fuzz))
FUZZ_PARTS := $(patsubst %.c,$(B)/fuzz/parts/%.o,$(call sources,common) $(call sources,differ) $(call sources,patcher))

.PHONY: fuzz fuzz-run
fuzz: $(addprefix $(B)/fuzz/,$(FUZZ_NAMES))

$(B)/fuzz/parts/%.o: %.c
	@mkdir -p $(@D)
	@echo "  FUZZ CC $<"
	@$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

$(B)/fuzz/parts.a: $(FUZZ_PARTS)

$(addprefix $(B)/fuzz/,$(FUZZ_NAMES)): $(B)/fuzz/%: $(B)/fuzz/parts/tests/fuzz/%.o $(B)/fuzz/parts.a
	@$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(TOOL_LIBS)

fuzz-run: fuzz
	@for name in $(FUZZ_NAMES); do \
		mkdir -p $(B)/fuzz/$$name.corpus tests/fuzz/seeds/$$name && \
		echo "fuzzing $$name for $(FUZZ_TIME) s" && \
		$(B)/fuzz/$$name -max_total_time=$(FUZZ_TIME) -verbosity=0 -print_final_stats=0 \
			-artifact_prefix=$(B)/fuzz/$$name- \
			$(B)/fuzz/$$name.corpus tests/fuzz/seeds/$$name || exit 1; \
	done
