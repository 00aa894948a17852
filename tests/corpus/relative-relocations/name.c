/* SPDX-License-Identifier: MIT */
const char *name(int value);

static const char *volatile names[] = {"zero", "one", "two", "three"};
static const char *const better[] = {"Zero", "One", "Two", "Three"};
extern const char *const *const all[];
const char *const *const all[] = {better};

const char *name(int value)
{
	return names[value & 3];
}
