# SPDX-License-Identifier: MIT
# `make demo`: the main job, told as it happens. Needs the test guest, which `all` makes.
# `make demo-qemu`: the same on Debian's QEMU. It needs no /dev/kvm, and is what `make demo` tells where there is none.
DEMOS := $(B)/tests/demo/demo $(B)/tests/demo/demo_qemu

$(DEMOS): $(B)/tests/demo/%: $(B)/tests/demo/%.o $(B)/tests/lib.a $(B)/common.a
	@$(CC) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS) $(CHECK_LIBS)

.PHONY: demo demo-run demo-kvm demo-qemu demo-qemu-run
demo: deps
	@$(MAKE) --no-print-directory demo-run
# Whether it can be opened, not only seen.
demo-run:
	@if (exec 3<>/dev/kvm) 2>/dev/null; then \
		$(MAKE) --no-print-directory demo-kvm; \
	else \
		echo "demo: /dev/kvm cannot be opened here, so this is the demo on Debian's QEMU, which needs none"; \
		$(MAKE) --no-print-directory demo-qemu; \
	fi
demo-kvm: all $(B)/tests/demo/demo
	@VGRAFT_BUILD=$(B) $(B)/tests/demo/demo

demo-qemu: deps-qemu
	@$(MAKE) --no-print-directory demo-qemu-run
demo-qemu-run: all $(B)/tests/demo/demo_qemu qemu-guest
	@VGRAFT_BUILD=$(B) VGRAFT_QEMU_TREE=$(QEMU_TREE) $(B)/tests/demo/demo_qemu
