/* SPDX-License-Identifier: MIT */
/* Functions that do not return: those that the source declares so, and those of libraries. */
#include <string.h>

#include "differ/safety.h"

/* What the compiler calls by itself, or declares in no debug information (clang without -O). */
static bool is_known_name(const char *name)
{
	static const char *const names[] = {"exit",
					    "_exit",
					    "_Exit",
					    "quick_exit",
					    "abort",
					    "__assert_fail",
					    "__stack_chk_fail",
					    "__chk_fail",
					    "longjmp",
					    "_longjmp",
					    "__longjmp_chk",
					    "siglongjmp",
					    "pthread_exit",
					    "g_assertion_message_expr",
					    "__fortify_fail"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

bool vg_safety_is_noreturn(const struct vg_type_table *types, const struct vg_item *function)
{
	const char *name = function->source ?: function->name;

	if (!name)
		return false;
	return (function->kind == VG_ITEM_UNDEFINED && is_known_name(name)) ||
	       vg_type_table_is_noreturn(types, name);
}
