# SPDX-License-Identifier: MIT
#
# The test guest: a freestanding program of its own, never sanitized, never position independent.
# It is only linked into place once its CPL0 code has passed check-cpl0.

GUEST        := $(B)/tests/guest/guest.elf
GUEST_CFLAGS := -std=gnu17 -O2 -g -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes \
	-Wshadow -mgeneral-regs-only -mno-red-zone -fno-pic -fcf-protection=none -ffreestanding \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-builtin-memset \
	-fno-tree-loop-distribute-patterns -I.
GUEST_OBJECTS := $(patsubst tests/guest/%.c,$(B)/tests/guest/%.o,$(sort $(wildcard tests/guest/*.c))) \
	$(B)/tests/guest/boot.o

.PHONY: guest
guest: $(GUEST)
all: $(GUEST)

$(B)/tests/guest/%.o: tests/guest/%.c tests/guest/guest.mk
	@mkdir -p $(@D)
	@echo "  GUEST $<"
	@$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/guest/%.o: tests/guest/%.S tests/guest/guest.mk
	@mkdir -p $(@D)
	@echo "  GUEST $<"
	@$(CC) -I. -MMD -MP -c -o $@ $<

$(GUEST): $(GUEST_OBJECTS) tests/guest/guest.lds tests/guest/check-cpl0
	@$(CC) -static -nostdlib -no-pie -Wl,-T,tests/guest/guest.lds -Wl,-z,max-page-size=4096 \
		-Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,--build-id=none -o $@.unchecked $(GUEST_OBJECTS)
	@tests/guest/check-cpl0 $@.unchecked
	@mv $@.unchecked $@
