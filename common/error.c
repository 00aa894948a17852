/* SPDX-License-Identifier: MIT */
#include <vgraft/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

struct vg_error {
	enum vg_code code;
	const char *rule;
	char *text;
};

/* Stands in when there is no memory left for the real sentence. */
static struct vg_error out_of_memory = {
	.code = VG_FAILED,
	.text = "out of memory; free some and try again",
};

struct vg_error *vg_error_no_memory(void)
{
	return &out_of_memory;
}

static struct vg_error *error_from_text(enum vg_code code, const char *rule, char *text)
{
	struct vg_error *error = text ? malloc(sizeof(*error)) : NULL;

	if (!error) {
		free(text);
		return &out_of_memory;
	}
	*error = (struct vg_error){.code = code, .rule = rule, .text = text};
	return error;
}

static char *format_text(const char *format, va_list args)
{
	char *text = NULL;

	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

struct vg_error *vg_error_new(enum vg_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = format_text(format, args);
	va_end(args);
	return error_from_text(code, NULL, text);
}

struct vg_error *vg_error_errno(enum vg_code code, int errno_value, const char *format, ...)
{
	va_list args;
	char *whole = NULL;

	va_start(args, format);
	char *text = format_text(format, args);
	va_end(args);
	if (!text || asprintf(&whole, "%s: %s", text, strerror(errno_value)) < 0)
		whole = NULL;
	free(text);
	return error_from_text(code, NULL, whole);
}

struct vg_error *vg_error_refuse(const char *rule, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = format_text(format, args);
	va_end(args);
	return error_from_text(VG_REFUSED, rule, text);
}

struct vg_error *vg_error_prefix(struct vg_error *error, const char *format, ...)
{
	va_list args;
	char *whole = NULL;

	if (!error || error == &out_of_memory)
		return error;
	va_start(args, format);
	char *prefix = format_text(format, args);
	va_end(args);
	if (!prefix || asprintf(&whole, "%s: %s", prefix, error->text) < 0)
		whole = NULL;
	free(prefix);
	if (whole) {
		free(error->text);
		error->text = whole;
	}
	return error;
}

enum vg_code vg_error_code(const struct vg_error *error)
{
	return error ? error->code : VG_DONE;
}

const char *vg_error_text(const struct vg_error *error)
{
	return error ? error->text : "";
}

const char *vg_error_rule(const struct vg_error *error)
{
	return error ? error->rule : NULL;
}

void vg_error_free(struct vg_error *error)
{
	if (!error || error == &out_of_memory)
		return;
	free(error->text);
	free(error);
}
