# SPDX-License-Identifier: MIT
# The programs that the stack check's live tests look at. Built as distributions build: optimised,
# position-independent, without sanitizers, so that the stacks are those of real programs.

$(B)/tests/live/stack_threads $(B)/tests/live/stack_coroutines: | $(B)/tests/live/targets/stack_target $(B)/tests/live/targets/stack_static
$(B)/tests/live/stack_threads: | $(B)/tests/live/targets/stack_split

$(B)/tests/live/targets/stack_target: tests/live/targets/stack_target.c tests/live/targets/stack_coroutines.h tests/live/targets/stack_wait.h
	@mkdir -p $(@D)
	@$(CC) -O2 -g -std=gnu17 -Wall -Wextra -Werror -Wno-unused-function -Wno-clobbered -fPIE -pie -o $@ $< -lpthread

$(B)/tests/live/targets/stack_static: tests/live/targets/stack_target.c tests/live/targets/stack_coroutines.h tests/live/targets/stack_wait.h
	@mkdir -p $(@D)
	@$(CC) -O2 -g -std=gnu17 -Wall -Wextra -Werror -Wno-unused-function -Wno-clobbered -static -o $@ $< -lpthread

# Split stacks are gcc's own.
$(B)/tests/live/targets/stack_split: tests/live/targets/stack_split.c tests/live/targets/stack_wait.h
	@mkdir -p $(@D)
	@gcc -fsplit-stack -O2 -g -std=gnu17 -Wall -Wextra -Werror -fPIE -pie -o $@ $< -lpthread
