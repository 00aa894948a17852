# SPDX-License-Identifier: MIT
# The programs that the patcher's live tests patch: as distributions build, without sanitizers; once
# position-independent, once not.

PATCHER_TARGETS := $(B)/tests/live/targets/patcher_target $(B)/tests/live/targets/patcher_target_fixed
PATCHER_LIVE    := $(patsubst tests/live/%.c,$(B)/tests/live/%,$(wildcard tests/live/patcher_*.c))

$(PATCHER_LIVE): | $(PATCHER_TARGETS)
$(B)/tests/live/patcher_kill: | $(B)/vgraft

$(B)/tests/live/targets/patcher_target: tests/live/targets/patcher_target.c
	@mkdir -p $(@D)
	@$(CC) -O2 -g -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -fPIE -pie -o $@ $< -lpthread

$(B)/tests/live/targets/patcher_target_fixed: tests/live/targets/patcher_target.c
	@mkdir -p $(@D)
	@$(CC) -O2 -g -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -fno-pie -no-pie -o $@ $< -lpthread
