/* SPDX-License-Identifier: MIT */
/*
 * signature, what DWARF does not tell: an attribute gives a function another calling convention
 * (GCC manual, x86 Function Attributes), so that its callers put the arguments elsewhere or rely on
 * other registers. gcc describes ms_abi in no debug information, so the preprocessed text is read:
 * which of these words stand in a declaration of the function, at file scope.
 */
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/safety.h"

/* Without the underscores around them. */
static const char *const conventions[] = {"ms_abi",
					  "sysv_abi",
					  "regcall",
					  "vectorcall",
					  "preserve_most",
					  "preserve_all",
					  "swiftcall",
					  "no_caller_saved_registers",
					  NULL};

struct word {
	const char *at;
	size_t length;
};

static bool is(const struct word *word, const char *text)
{
	return word->length == strlen(text) && !memcmp(word->at, text, word->length);
}

static uint32_t convention(struct word word)
{
	while (word.length && *word.at == '_')
		word = (struct word){word.at + 1, word.length - 1};
	while (word.length && word.at[word.length - 1] == '_')
		word.length--;
	for (uint32_t i = 0; conventions[i]; i++)
		if (is(&word, conventions[i]))
			return 1u << i;
	return 0;
}

/* The next name or number, or one other character; literals and line markers are passed over. */
static struct word next_word(const char *at)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$";
	size_t length = strspn(at, name);

	if (*at == '"' || *at == '\'') {
		for (length = 1; at[length] && at[length] != *at && at[length] != '\n'; length++)
			length += at[length] == '\\' && at[length + 1];
		length += at[length] == *at;
	} else if (*at == '#') {
		length = strcspn(at, "\n");
	}
	return (struct word){at, length || !*at ? length : 1};
}

/* The conventions that declarations of the function name. */
static uint32_t conventions_of(const char *text, const char *function)
{
	uint32_t all = 0, declared = 0;
	bool is_named = false;
	unsigned braces = 0;

	for (struct word word = next_word(text); word.length;
	     word = next_word(word.at + word.length)) {
		char first = *word.at;

		if (!braces && (first == ';' || first == '{' || first == '}')) {
			all |= is_named ? declared : 0;
			is_named = false;
			declared = 0;
		}
		braces += first == '{';
		braces -= first == '}' && braces;
		if (!braces) {
			declared |= convention(word);
			is_named |= is(&word, function);
		}
	}
	return all;
}

/* Asked once for a unit: hardly any has such words. */
static struct vg_error *may_declare(const struct vg_patch_build *build, struct vg_pair *pair,
				    bool *may)
{
	*may = pair->has_conventions;
	if (pair->is_asked_for_conventions)
		return NULL;
	pair->is_asked_for_conventions = true;
	VG_TRY(vg_units_read_words(build->units, pair->unit, conventions, may));
	pair->has_conventions = *may;
	return NULL;
}

struct vg_error *vg_safety_convention_changed(const struct vg_patch_build *build,
					      const struct vg_change *change, bool *changed)
{
	const struct vg_unit *unit = change->pair->unit;
	_cleanup_free_ char *pre = NULL, *post = NULL;
	bool may;

	*changed = false;
	VG_TRY(may_declare(build, change->pair, &may));
	if (!may)
		return NULL;
	VG_TRY(vg_units_text(build->units, unit, false, &pre));
	VG_TRY(vg_units_text(build->units, unit, true, &post));
	*changed = pre && post &&
		   conventions_of(pre, change->pre->source) !=
			   conventions_of(post, change->post->source);
	return NULL;
}
