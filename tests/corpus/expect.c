/* SPDX-License-Identifier: MIT */
#include "tests/corpus/expect.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text_file.h"

static const char *const type_words[] = {
	[TYPE_PIE] = "pie",	  [TYPE_NOPIE] = "nopie",   [TYPE_STATIC] = "static",
	[TYPE_SHARED] = "shared", [TYPE_PLUGIN] = "plugin", [TYPE_STATIC_PIE] = "static-pie",
};

const char *target_type_word(enum target_type type)
{
	return type_words[type];
}

bool change_is_busy(const struct change *change)
{
	return strcmp(change->result, "busy") == 0;
}

bool change_is_built(const struct change *change)
{
	return strcmp(change->result, "built") == 0 || change_is_busy(change);
}

static struct vg_error *take_type(const char *value, enum target_type *type)
{
	for (size_t i = 0; i < sizeof(type_words) / sizeof(type_words[0]); i++)
		if (strcmp(value, type_words[i]) == 0) {
			*type = (enum target_type)i;
			return NULL;
		}
	return vg_error_new(VG_USAGE, "there is no type '%s'", value);
}

/* "QUESTION -> ANSWER"; either may be empty. */
static struct vg_error *take_probe(const char *value, struct probes *probes)
{
	const char *arrow = strstr(value, "->");
	const char *end = arrow;

	if (!arrow || probes->count == EXPECT_MAX_PROBES)
		return vg_error_new(VG_USAGE, "'%s' is not 'QUESTION -> ANSWER', or one too many",
				    value);
	while (end > value && isspace((unsigned char)end[-1]))
		end--;
	arrow += 2;
	while (isspace((unsigned char)*arrow))
		arrow++;
	probes->at[probes->count++] = (struct probe){
		.question = strndup(value, (size_t)(end - value)),
		.answer = strdup(arrow),
	};
	return NULL;
}

static struct vg_error *take_text(const char *key, const char *value, char **text)
{
	if (*text)
		return vg_error_new(VG_USAGE, "'%s' stands there twice", key);
	*text = strdup(value);
	return NULL;
}

struct text_key {
	const char *key;
	char **text;
};

static char **find_text(const struct text_key *keys, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(keys[i].key, key) == 0)
			return keys[i].text;
	return NULL;
}

static struct vg_error *take_change_key(struct change *change, const char *key, const char *value)
{
	const struct text_key keys[] = {
		{"result", &change->result},	   {"rule", &change->rule},
		{"reason", &change->reason},	   {"place", &change->place},
		{"blocker", &change->blocker},	   {"parts", &change->parts},
		{"functions", &change->functions}, {"options", &change->options},
		{"explain", &change->explain},
	};
	char **text = find_text(keys, sizeof(keys) / sizeof(keys[0]), key);

	if (text)
		return take_text(key, value, text);
	if (strcmp(key, "before") == 0)
		return take_probe(value, &change->before);
	if (strcmp(key, "after") == 0)
		return take_probe(value, &change->after);
	if (strcmp(key, "reverted") == 0)
		return take_probe(value, &change->reverted);
	if (strcmp(key, "reapplied") == 0)
		return take_probe(value, &change->reapplied);
	return vg_error_new(VG_USAGE, "there is no key '%s'", key);
}

static struct vg_error *take_key(struct expect *expect, const char *key, const char *value)
{
	const struct text_key keys[] = {
		{"mechanism", &expect->mechanism}, {"cc", &expect->cc},
		{"cflags", &expect->cflags},	   {"ldflags", &expect->ldflags},
		{"target-cc", &expect->target_cc}, {"target-cflags", &expect->target_cflags},
		{"unlinked", &expect->unlinked},   {"other-cflags", &expect->other_cflags},
		{"outside", &expect->outside},	   {"strip", &expect->strip},
		{"matrix", &expect->matrix},	   {"pending", &expect->pending},
		{"stays", &expect->stays},	   {"rebuild", &expect->rebuild},
		{"twin", &expect->twin.diff},
	};
	char **text = find_text(keys, sizeof(keys) / sizeof(keys[0]), key);

	if (text)
		return take_text(key, value, text);
	if (strcmp(key, "type") == 0)
		return take_type(value, &expect->type);
	if (strcmp(key, "threads") == 0)
		return expect->threads = atoi(value), NULL;
	if (strcmp(key, "exit") == 0)
		return expect->exit = atoi(value), NULL;
	if (strncmp(key, "twin-", 5) == 0)
		return take_change_key(&expect->twin, key + 5, value);
	return take_change_key(&expect->change, key, value);
}

static struct vg_error *take_line(struct expect *expect, char *line)
{
	char *colon = strchr(line, ':');
	size_t length = strlen(line);

	if (*line == '\0' || *line == '#')
		return NULL;
	if (!colon)
		return vg_error_new(VG_USAGE, "'%s' is no line of the form 'key: value'", line);
	while (length && isspace((unsigned char)line[length - 1]))
		line[--length] = '\0';
	*colon++ = '\0';
	while (isspace((unsigned char)*colon))
		colon++;
	return take_key(expect, line, colon);
}

static void set_default(char **text, const char *value)
{
	if (!*text)
		*text = strdup(value);
}

static void probes_copy(struct probes *to, const struct probes *from)
{
	if (to->count)
		return;
	to->count = from->count;
	for (size_t i = 0; i < from->count; i++)
		to->at[i] =
			(struct probe){strdup(from->at[i].question), strdup(from->at[i].answer)};
}

static void fill_defaults(struct expect *expect)
{
	set_default(&expect->cc, "gcc");
	set_default(&expect->cflags, "-O2 -g");
	set_default(&expect->matrix, "all");
	set_default(&expect->change.diff, "fix.diff");
	set_default(&expect->change.result, "built");
	set_default(&expect->twin.result, "built");
	probes_copy(&expect->change.reverted, &expect->change.before);
	probes_copy(&expect->change.reapplied, &expect->change.after);
	probes_copy(&expect->twin.reverted, &expect->twin.before);
	probes_copy(&expect->twin.reapplied, &expect->twin.after);
}

/* A promise that checks nothing is an error of the corpus. */
static struct vg_error *check_change(const struct change *change)
{
	if (change_is_built(change) &&
	    (!change->functions || !change->before.count || !change->after.count))
		return vg_error_new(VG_USAGE, "a change that is built needs functions, before and "
					      "after");
	if (change_is_busy(change) && !change->blocker)
		return vg_error_new(VG_USAGE, "a change that is busy needs a blocker");
	if (strcmp(change->result, "refused") == 0 && !change->rule && !change->reason)
		return vg_error_new(VG_USAGE, "a change that is refused needs a rule or a reason");
	return NULL;
}

static struct vg_error *check(const struct expect *expect)
{
	if (!expect->mechanism)
		return vg_error_new(VG_USAGE, "'mechanism' is missing");
	VG_TRY(check_change(&expect->change));
	return expect->twin.diff ? check_change(&expect->twin) : NULL;
}

struct vg_error *expect_read(const char *path, struct expect *expect)
{
	_cleanup_free_ char *text = NULL;
	char *rest;

	VG_TRY(vg_text_file_read(path, &text, NULL));
	rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		struct vg_error *error = take_line(expect, line);

		if (error)
			return vg_error_prefix(error, "%s", path);
	}
	fill_defaults(expect);
	struct vg_error *error = check(expect);

	return error ? vg_error_prefix(error, "%s", path) : NULL;
}

static void probes_clear(struct probes *probes)
{
	for (size_t i = 0; i < probes->count; i++) {
		free(probes->at[i].question);
		free(probes->at[i].answer);
	}
}

static void change_clear(struct change *change)
{
	free(change->diff);
	free(change->result);
	free(change->rule);
	free(change->reason);
	free(change->place);
	free(change->explain);
	free(change->functions);
	free(change->blocker);
	free(change->parts);
	free(change->options);
	probes_clear(&change->before);
	probes_clear(&change->after);
	probes_clear(&change->reverted);
	probes_clear(&change->reapplied);
}

void expect_clear(struct expect *expect)
{
	free(expect->mechanism);
	free(expect->cc);
	free(expect->cflags);
	free(expect->ldflags);
	free(expect->target_cc);
	free(expect->target_cflags);
	free(expect->unlinked);
	free(expect->other_cflags);
	free(expect->outside);
	free(expect->strip);
	free(expect->matrix);
	free(expect->pending);
	free(expect->stays);
	free(expect->rebuild);
	change_clear(&expect->change);
	change_clear(&expect->twin);
	*expect = (struct expect){0};
}
