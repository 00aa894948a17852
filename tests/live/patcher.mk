# SPDX-License-Identifier: MIT
# The programs that the patcher's live tests patch: as distributions build, without sanitizers; once
# position-independent, once not.

PATCHER_TARGETS := $(B)/tests/live/targets/patcher_target $(B)/tests/live/targets/patcher_target_fixed \
                   $(B)/tests/live/targets/patcher_held $(B)/tests/live/targets/patcher_odd
PATCHER_LIVE    := $(patsubst tests/live/%.c,$(B)/tests/live/%,$(wildcard tests/live/patcher_*.c))

$(PATCHER_LIVE): | $(PATCHER_TARGETS) $(B)/tests/live/targets/libpatcher_plugin.so
$(B)/tests/live/patcher_kill $(B)/tests/live/patcher_recovery $(B)/tests/live/patcher_hooks $(B)/tests/live/patcher_shadows $(B)/tests/live/patcher_unwound $(B)/tests/live/patcher_names $(B)/tests/live/patcher_depends $(B)/tests/live/patcher_adverse: | $(B)/vgraft

PATCHER_FLAGS := -O2 -g -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror
PATCHER_LIB   := $(B)/tests/live/targets/libpatcher_library.so
PATCHER_SO    := $(PATCHER_LIB) $(B)/tests/live/targets/libpatcher_plugin.so

$(PATCHER_SO): $(B)/tests/live/targets/lib%.so: tests/live/targets/%.c
	@mkdir -p $(@D)
	@$(CC) $(PATCHER_FLAGS) -fPIC -shared -Wl,-soname,$(@F) -o $@ $<

$(B)/tests/live/targets/patcher_target: tests/live/targets/patcher_target.c $(PATCHER_LIB) tests/live/targets/patcher_functions.h
	@$(CC) $(PATCHER_FLAGS) -fPIE -pie -o $@ $(filter-out %.h,$^) -Wl,-rpath,'$$ORIGIN' -lpthread

$(B)/tests/live/targets/patcher_target_fixed: tests/live/targets/patcher_target.c $(PATCHER_LIB) tests/live/targets/patcher_functions.h
	@$(CC) $(PATCHER_FLAGS) -fno-pie -no-pie -o $@ $(filter-out %.h,$^) -Wl,-rpath,'$$ORIGIN' -lpthread

$(B)/tests/live/targets/patcher_held $(B)/tests/live/targets/patcher_odd: $(B)/%: %.c tests/live/targets/patcher_functions.h
	@mkdir -p $(@D)
	@$(CC) $(PATCHER_FLAGS) -fPIE -pie -o $@ $< -lpthread

# The same tests as on Debian 12's kernel, whichever one runs here (tests/lib/older_kernel.c).
OLDER_KERNEL := $(patsubst %,$(B)/tests/live/%.older_kernel,patcher_apply patcher_chain patcher_modules patcher_odd \
                  patcher_refuse patcher_replace patcher_retire)

$(OLDER_KERNEL): | $(PATCHER_TARGETS) $(B)/tests/live/targets/libpatcher_plugin.so
$(OLDER_KERNEL): $(B)/tests/live/%.older_kernel: $(B)/tests/live/%.o $(B)/tests/lib/older_kernel.o $(B)/tests/lib.a $(B)/patcher.a $(B)/common.a
	@$(CC) $(LDFLAGS) -Wl,--wrap=ioctl -o $@ $^ $(TOOL_LIBS) $(CHECK_LIBS)
