# SPDX-License-Identifier: MIT
# The floor program stands alone: no header and no archive of the project.
$(B)/tests/bench/floor/floor: tests/bench/floor/floor.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o $@ $<

BENCH_PROGRAMS += $(B)/tests/bench/floor/floor

# What the benches share.
$(BENCH): $(B)/tests/bench/lib/measure.o $(B)/tests/bench/lib/plot.o

# Debian's QEMU, its guest and all fixes: those of check-qemu.
.PHONY: bench-run
bench-run: qemu-guest $(QEMU_FIXES)
