# SPDX-License-Identifier: MIT
#
# Unit tests of the VMM (vmm_*.c) are linked with all of it but its main().

VMM_UNIT := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/unit/vmm_*.c)))

$(VMM_UNIT): $(filter-out $(B)/vmm/main.o,$(call objects,vmm))
