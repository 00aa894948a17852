/* SPDX-License-Identifier: MIT */
int on_event(int value);

struct ops {
	const char *name;
	int (*fire)(int value);
};

extern const struct ops *volatile listener;

static const struct ops ops = {"event", on_event};
const struct ops *volatile listener = &ops;
