# SPDX-License-Identifier: MIT
# `make demo`: the main job, told as it happens. Needs the test guest, which `all` makes.
$(B)/tests/demo/demo: $(B)/tests/demo/demo.o $(B)/tests/lib.a $(B)/common.a
	@$(CC) $(LDFLAGS) -o $@ $^ $(TOOL_LIBS) $(CHECK_LIBS)
