# SPDX-License-Identifier: MIT
#
# The corpus: programs with a diff beside them, run by a harness that drives the vgraft command.

CORPUS_HARNESS := $(B)/tests/corpus/harness

$(CORPUS_HARNESS): $(call objects,tests/corpus) $(B)/common.a
	@$(CC) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS)

# The harness runs the command, so the command must be there first.
$(CORPUS_HARNESS): | $(B)/vgraft
CHECK_PROGRAMS += $(CORPUS_HARNESS)

# Every program in every configuration; `make check` runs each in its own.
.PHONY: check-corpus
check-corpus: $(CORPUS_HARNESS) $(B)/vgraft
	$(CORPUS_HARNESS) --matrix
