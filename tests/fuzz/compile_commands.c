/* SPDX-License-Identifier: MIT */
/* Command lines, dependency files and ninja's log: what the build of a project left behind. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "differ/compile_commands.h"
#include "differ/compile_flags.h"
#include "differ/dependencies.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_flags(const char *text)
{
	struct vg_compile_command command = {.directory = "/d", .file = "a.c", .path = "/d/a.c"};
	struct vg_compile_flags flags = {0};
	struct vg_shadow shadow = {.root = "/shadow"};
	struct vg_words words = {0};

	vg_command_split(text, &command.arguments);
	if (command.arguments.count) {
		vg_error_free(vg_compile_flags_read(&command, &flags));
		vg_error_free(vg_compile_flags_command(&flags, &shadow, VG_COMPILE_SECTIONS, NULL,
						       "o", "d", &words));
	}
	vg_words_clear(&words);
	vg_words_clear(&command.arguments);
	vg_compile_flags_clear(&flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct vg_words words = {0};
	struct vg_ninja_log log;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	read_flags(text);
	vg_make_rule_parse(text, &words);
	vg_words_clear(&words);
	free(text);
	vg_error_free(vg_ninja_log_parse(data, size, &log));
	vg_ninja_log_find(&log, "a.o");
	vg_ninja_log_clear(&log);
	return 0;
}
