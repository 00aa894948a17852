/* SPDX-License-Identifier: MIT */
#include "vmm/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vmm_error {
	enum vmm_exit code;
	const char *text;
	char storage[];
};

static struct vmm_error no_memory = {
	.code = VMM_EXIT_FAILED,
	.text = "out of memory: free some on the host and try again",
};

struct vmm_error *vmm_error_no_memory(void)
{
	return &no_memory;
}

static struct vmm_error *error_make(enum vmm_exit code, const char *tail, const char *format,
				    va_list args)
{
	va_list again;

	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		return &no_memory;

	size_t room = (size_t)length + strlen(tail) + 1;
	struct vmm_error *error = malloc(sizeof(*error) + room);

	if (!error)
		return &no_memory;
	error->code = code;
	error->text = error->storage;
	vsnprintf(error->storage, room, format, args);
	strcat(error->storage, tail);
	return error;
}

struct vmm_error *vmm_error_new(enum vmm_exit code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct vmm_error *error = error_make(code, "", format, args);
	va_end(args);
	return error;
}

struct vmm_error *vmm_error_errno(enum vmm_exit code, int errno_value, const char *format, ...)
{
	char tail[128];
	char reason[96];
	va_list args;

	snprintf(tail, sizeof(tail), ": %s", strerror_r(errno_value, reason, sizeof(reason)));
	va_start(args, format);
	struct vmm_error *error = error_make(code, tail, format, args);
	va_end(args);
	return error;
}

enum vmm_exit vmm_error_code(const struct vmm_error *error)
{
	return error ? error->code : VMM_EXIT_DONE;
}

const char *vmm_error_text(const struct vmm_error *error)
{
	return error ? error->text : "";
}

void vmm_error_free(struct vmm_error *error)
{
	if (error != &no_memory)
		free(error);
}
