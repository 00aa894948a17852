/* SPDX-License-Identifier: MIT */
#include "tests/lib/patcher_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/process_maps.h"
#include "patcher/memory.h"
#include "tests/lib/suite.h"

#define CHUNK	  64 /* bytes of TEXT for each changed function */
#define DISPLACED 32 /* in a chunk */
#define GOT	  48
#define STRING	  56

static void must(struct vg_error *error)
{
	ck_assert_msg(!error, "%s", vg_error_text(error));
}

char *vg_beside_test(const char *name)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *result = NULL;

	path[n > 0 ? n : 0] = '\0';
	*strrchr(path, '/') = '\0';
	ck_assert_int_gt(asprintf(&result, "%s/%s", path, name), 0);
	return result;
}

void vg_case_start(struct vg_case *c, const char *program, const char *const threads[5])
{
	char name[128];

	snprintf(name, sizeof(name), "targets/%s", program);
	c->path = vg_beside_test(name);

	const char *argv[] = {c->path,	  threads[0], threads[1], threads[2],
			      threads[3], threads[4], NULL};

	must(vg_process_start(argv, &c->process));
	must(vg_process_wait_text(c->process, &c->process->output, 0, "ready\n", NULL));
	c->pid = c->process->pid;
}

void vg_case_end(struct vg_case *c)
{
	vg_process_free(c->process);
	free(c->path);
}

char *vg_case_ask(struct vg_case *c, char command, const char *word)
{
	size_t from = c->process->output.length, at, end;
	char text[2] = {command, '\0'};

	must(vg_process_send(c->process, text));
	must(vg_process_wait_text(c->process, &c->process->output, from, word, &at));
	must(vg_process_wait_text(c->process, &c->process->output, at, "\n", &end));
	return strndup(c->process->output.text + at, end - at);
}

void vg_case_expect_answers(struct vg_case *c, int first, int second)
{
	_cleanup_free_ char *line = vg_case_ask(c, 'a', "answers");
	char expected[64];

	snprintf(expected, sizeof(expected), "answers %d %d", first, second);
	ck_assert_str_eq(line, expected);
}

struct vg_case_counts vg_case_counts(struct vg_case *c)
{
	_cleanup_free_ char *line = vg_case_ask(c, 'e', "interrupted");
	struct vg_case_counts counts;

	ck_assert_int_eq(sscanf(line, "interrupted %lu calls %lu mixed %lu damaged %lu",
				&counts.interrupted, &counts.calls, &counts.mixed, &counts.damaged),
			 4);
	return counts;
}

static const struct vg_symbol *find_symbol(const struct vg_symbols *symbols, const char *name)
{
	for (size_t i = 0; i < symbols->count; i++)
		if (strcmp(symbols->symbols[i].name, name) == 0)
			return &symbols->symbols[i];
	ck_abort_msg("the target has no %s", name);
}

/* Reading the four bytes of a displacement off its end, as x86-64 does. */
static void put_pc32(uint8_t *text, size_t at, size_t to)
{
	int32_t displacement = (int32_t)(to - (at + 4));

	memcpy(text + at, &displacement, sizeof(displacement));
}

/* One module of a patch that is being made. */
struct part {
	struct vg_patch_writer *writer;
	const struct vg_case_extra *extra;
	uint16_t module; /* its TEXT segment has the same index */
	uint32_t data_segment;
	struct vg_elf *elf;
	struct vg_symbols symbols;
	uint8_t *text;
	size_t text_bytes;
};

static void add_reloc(const struct part *part, size_t offset, uint8_t type, uint8_t base,
		      uint32_t index, int64_t addend)
{
	struct vgp_reloc reloc = {.offset = (uint32_t)offset,
				  .segment = part->module,
				  .type = type,
				  .base = base,
				  .index = index,
				  .addend = addend};

	vg_patch_writer_add(part->writer, VGP_RELOCS, &reloc, 1);
}

static uint64_t symbol_address(const struct part *part, const char *name)
{
	return find_symbol(&part->symbols, name)->sym.st_value;
}

/* leaq variable(%rip), %rax; movq %rax, kept(%rip); movl $value, %eax; ret */
static size_t put_keeper(const struct part *part, size_t at, size_t i, int value)
{
	static const uint8_t code[] = {0x48, 0x8d, 0x05, 0, 0,	  0, 0, 0x48, 0x89, 0x05,
				       0,    0,	   0,	 0, 0xb8, 0, 0, 0,    0,    0xc3};

	memcpy(part->text + at, code, sizeof(code));
	memcpy(part->text + at + 15, &value, sizeof(value));
	add_reloc(part, at + 3, VGP_PC32, VGP_BASE_SEGMENT, part->data_segment,
		  (int64_t)(4 * i) - 4);
	add_reloc(part, at + 10, VGP_PC32, VGP_BASE_MODULE, part->module,
		  (int64_t)symbol_address(part, "kept") - 4);
	return sizeof(code);
}

/* subq $8, %rsp; call wait_in_busy; addq $8, %rsp; movl $value, %eax; ret */
static size_t put_waiter(const struct part *part, size_t at, int value)
{
	static const uint8_t code[] = {0x48, 0x83, 0xec, 8,    0xe8, 0, 0, 0, 0,   0x48,
				       0x83, 0xc4, 8,	 0xb8, 0,    0, 0, 0, 0xc3};

	memcpy(part->text + at, code, sizeof(code));
	memcpy(part->text + at + 14, &value, sizeof(value));
	add_reloc(part, at + 5, VGP_PC32, VGP_BASE_MODULE, part->module,
		  (int64_t)symbol_address(part, "wait_in_busy") - 4);
	return sizeof(code);
}

/* movl $value, %eax; ret -- or movl variable(%rip), %eax; ret -- or a call of an import */
static size_t put_code(const struct part *part, size_t at, size_t i, int value)
{
	static const uint8_t call[] = {0x48, 0x83, 0xec, 8, 0x48, 0x8d, 0x3d, 0,    0,	  0, 0,
				       0xff, 0x15, 0,	 0, 0,	  0,	0x48, 0x83, 0xc4, 8, 0xc3};
	uint8_t *text = part->text;

	if (part->extra->keeps)
		return put_keeper(part, at, i, value);
	if (part->extra->waits)
		return put_waiter(part, at, value);
	if (part->extra->import) {
		memcpy(text + at, call, sizeof(call));
		put_pc32(text, at + 7, at + STRING);
		put_pc32(text, at + 13, at + GOT);
		memcpy(text + at + STRING, "vgraft", 7);
		add_reloc(part, at + GOT, VGP_ABS64, VGP_BASE_IMPORT, 0, 0);
		return sizeof(call);
	}
	text[at] = part->extra->data ? 0x8b : 0xb8;
	if (part->extra->data) {
		text[at + 1] = 0x05;
		text[at + 6] = 0xc3;
		add_reloc(part, at + 2, VGP_PC32, VGP_BASE_SEGMENT, part->data_segment,
			  (int64_t)(4 * i) - 4);
		return 7;
	}
	memcpy(text + at + 1, &value, sizeof(value));
	text[at + 5] = 0xc3;
	return 6;
}

/* The n-th function of its module; the i-th of the patch. */
static void add_function(struct part *part, size_t n, size_t i, const struct vg_case_change *change)
{
	const struct vg_symbol *symbol = find_symbol(&part->symbols, change->function);
	uint32_t name = vg_patch_writer_string(part->writer, symbol->name);
	size_t at = n * CHUNK;
	struct vgp_function function = {
		.name = name,
		.symbol = name,
		.file = vg_patch_writer_string(part->writer, "patcher_target.c"),
		.module = part->module,
		.kind = VGP_CHANGED,
		.entry_bytes = VGP_JUMP_BYTES,
		.new_offset = (uint32_t)at,
		.displaced_offset = (uint32_t)at + DISPLACED,
		.old_address = symbol->sym.st_value,
		.old_bytes = (uint32_t)symbol->sym.st_size,
	};

	must(vg_elf_read(part->elf, symbol->sym.st_value, function.entry, VGP_JUMP_BYTES));
	memcpy(part->text + at + DISPLACED, function.entry, VGP_JUMP_BYTES);
	function.entry[1] ^= part->extra->wrong_entry;
	function.new_bytes = (uint32_t)put_code(part, at, i, change->value);
	part->text[at + DISPLACED + 5] = 0xe9;
	add_reloc(part, at + DISPLACED + 6, VGP_PC32, VGP_BASE_MODULE, part->module,
		  (int64_t)symbol->sym.st_value + VGP_JUMP_BYTES - 4);
	vg_patch_writer_add(part->writer, VGP_FUNCTIONS, &function, 1);
	part->text_bytes = at + CHUNK;
}

static void add_module(struct part *part, const char *path, size_t changes)
{
	struct vgp_module module = {.flags = part->module ? 0 : VGP_MODULE_EXECUTABLE};

	must(vg_elf_open(path, &part->elf));
	must(vg_elf_symbols(part->elf, SHT_SYMTAB, &part->symbols));
	part->text = calloc(changes, CHUNK);
	module.name = vg_patch_writer_string(part->writer, strrchr(path, '/') + 1);
	if (!vg_elf_is_pie_or_shared(part->elf))
		module.flags |= VGP_MODULE_FIXED;
	module.build_id_bytes = (uint16_t)part->elf->build_id_bytes;
	memcpy(module.build_id, part->elf->build_id, part->elf->build_id_bytes);
	vg_patch_writer_add(part->writer, VGP_MODULES, &module, 1);
}

static void add_text(const struct part *part)
{
	struct vgp_segment segment = {.module = part->module,
				      .kind = VGP_TEXT,
				      .align = 16,
				      .memory_bytes = (uint32_t)part->text_bytes,
				      .content_offset = vg_patch_writer_contents(
					      part->writer, part->text, part->text_bytes),
				      .content_bytes = (uint32_t)part->text_bytes};

	vg_patch_writer_add(part->writer, VGP_SEGMENTS, &segment, 1);
}

/* The values of all functions; the DATA segment is longer than its content. */
static void add_data(struct vg_patch_writer *writer, const struct vg_case_change *changes,
		     size_t count)
{
	int values[16] = {0};
	struct vgp_segment segment = {.kind = VGP_DATA,
				      .align = 8,
				      .memory_bytes = 8192,
				      .content_bytes = (uint32_t)(count * sizeof(int))};

	for (size_t i = 0; i < count; i++)
		values[i] = changes[i].value;
	segment.content_offset = vg_patch_writer_contents(writer, values, count * sizeof(int));
	vg_patch_writer_add(writer, VGP_SEGMENTS, &segment, 1);
}

static void add_extras(const struct part *part)
{
	struct vg_patch_writer *writer = part->writer;
	const struct vg_case_extra *extra = part->extra;

	if (extra->depends) {
		uint32_t name = vg_patch_writer_string(writer, extra->depends);

		vg_patch_writer_add(writer, VGP_DEPENDS, &name, 1);
	}
	if (extra->import) {
		struct vgp_import import = {.name = vg_patch_writer_string(writer, extra->import),
					    .soname = vg_patch_writer_string(writer, "libc.so.6"),
					    .version =
						    vg_patch_writer_string(writer, "GLIBC_2.2.5"),
					    .flags = VGP_IMPORT_FUNCTION};

		vg_patch_writer_add(writer, VGP_IMPORTS, &import, 1);
	}
	if (extra->far_reference)
		add_reloc(part, 40, VGP_PC32, VGP_BASE_MODULE, 0, 0x7fffffff0000);
	if (extra->hook) {
		struct vgp_hook hook = {.when = VGP_PRE_APPLY,
					.bytes = 8,
					.name = vg_patch_writer_string(writer, "hook")};

		vg_patch_writer_add(writer, VGP_HOOKS, &hook, 1);
	}
}

static const char *const files[] = {[VG_CASE_LIBRARY] = "targets/libpatcher_library.so",
				    [VG_CASE_PLUGIN] = "targets/libpatcher_plugin.so"};

/* Makes the functions of one module. */
static void make_part(struct part *part, const struct vg_case *c, enum vg_case_module module,
		      const struct vg_case_change *changes, size_t count)
{
	_cleanup_free_ char *path = module ? vg_beside_test(files[module]) : strdup(c->path);
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (changes[i].module != module)
			continue;
		if (!n)
			add_module(part, path, count);
		add_function(part, n++, i, &changes[i]);
	}
}

static void end_part(struct part *part)
{
	if (part->text)
		add_text(part);
	free(part->text);
	vg_symbols_clear(&part->symbols);
	vg_elf_close(part->elf);
}

static struct vg_patch *finish(struct vg_patch_writer *writer, bool replace)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct vg_patch *patch = NULL;
	size_t count;

	must(vg_patch_writer_finish(writer, replace ? VGP_REPLACE : 0, &bytes, &count));
	must(vg_patch_parse(bytes, count, "test", &patch));
	vg_patch_writer_free(writer);
	return patch;
}

struct vg_patch *vg_case_patch(const struct vg_case *c, const char *name,
			       const struct vg_case_change *changes, size_t count,
			       const struct vg_case_extra *extra)
{
	static const struct vg_case_extra plain;
	struct vg_patch_writer *writer = vg_patch_writer_new();
	struct vgp_info info = {.name = vg_patch_writer_string(writer, name)};
	struct part parts[3] = {{.writer = writer, .extra = extra ? extra : &plain}};
	enum vg_case_module which[3] = {VG_CASE_PROGRAM};
	uint16_t modules = 1;

	vg_patch_writer_add(writer, VGP_INFO, &info, 1);
	for (size_t i = 0; i < count; i++)
		if (changes[i].module > which[modules - 1])
			which[modules++] = changes[i].module;
	for (uint16_t m = 0; m < modules; m++) {
		parts[m] = parts[0];
		parts[m].module = m;
		parts[m].data_segment = modules;
	}
	for (uint16_t m = 0; m < modules; m++)
		make_part(&parts[m], c, which[m], changes, count);
	add_extras(&parts[0]);
	for (uint16_t m = 0; m < modules; m++)
		end_part(&parts[m]);
	if (parts[0].extra->data || parts[0].extra->keeps)
		add_data(writer, changes, count);
	return finish(writer, parts[0].extra->replace);
}

static void expect(struct vg_error *error, enum vg_outcome outcome, const struct vg_result *result)
{
	ck_assert_msg(!error, "%s", vg_error_text(error));
	ck_assert_msg(result->outcome == outcome, "%s instead of %s: %s",
		      vg_outcome_word(result->outcome), vg_outcome_word(outcome),
		      result->reason ? result->reason : "");
}

void vg_case_apply(struct vg_case *c, const struct vg_patch *patch, double timeout,
		   enum vg_outcome outcome, struct vg_result *result)
{
	struct vg_patch_options options = {.timeout = timeout};

	expect(vg_apply(patch, c->pid, &options, result), outcome, result);
}

void vg_case_revert(struct vg_case *c, const char *name, double timeout, enum vg_outcome outcome,
		    struct vg_result *result)
{
	struct vg_patch_options options = {.timeout = timeout};

	expect(vg_revert(name, c->pid, &options, result), outcome, result);
}

void vg_case_must_apply(struct vg_case *c, const struct vg_patch *patch)
{
	struct vg_result result;

	vg_case_apply(c, patch, 30, VG_OUTCOME_APPLIED, &result);
	vg_result_clear(&result);
}

void vg_case_must_revert(struct vg_case *c, const char *name)
{
	struct vg_result result;

	vg_case_revert(c, name, 30, VG_OUTCOME_REVERTED, &result);
	vg_result_clear(&result);
}

void vg_case_must_go_in_and_out(struct vg_case *c, const struct vg_patch *patch, int first,
				int second)
{
	vg_case_must_apply(c, patch);
	vg_case_expect_answers(c, first, second);
	vg_case_must_revert(c, vg_patch_name(patch));
	vg_case_expect_answers(c, 1, 1);
}

/* Heap and stacks grow, and arenas come and go, whoever does nothing. */
static bool is_steady(const struct vg_map *map)
{
	return vg_map_is_file(map) || (map->executable && strcmp(map->path, "[vsyscall]") != 0);
}

static void add_code(const struct vg_case *c, const struct vg_map *map,
		     struct vg_case_picture *picture)
{
	struct vg_memory memory;
	size_t bytes = map->end - map->start;

	if (!map->executable || !vg_map_is_file(map))
		return;
	picture->code = realloc(picture->code, picture->code_bytes + bytes);
	must(vg_memory_open(c->pid, &memory));
	must(vg_memory_read(&memory, map->start, picture->code + picture->code_bytes, bytes));
	vg_memory_close(&memory);
	picture->code_bytes += bytes;
}

void vg_case_picture(const struct vg_case *c, struct vg_case_picture *picture)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};
	size_t size;
	FILE *text = open_memstream(&picture->maps, &size);

	picture->code = NULL;
	picture->code_bytes = 0;
	must(vg_maps_read(c->pid, &maps));
	for (size_t i = 0; i < maps.count; i++) {
		const struct vg_map *map = &maps.maps[i];

		if (!is_steady(map))
			continue;
		fprintf(text, "%lx-%lx %d%d%d %s\n", map->start, map->end, map->readable,
			map->writable, map->executable, map->path);
		add_code(c, map, picture);
	}
	fclose(text);
}

void vg_case_picture_clear(struct vg_case_picture *picture)
{
	free(picture->maps);
	free(picture->code);
}

void vg_case_expect_picture(const struct vg_case *c, const struct vg_case_picture *picture)
{
	struct vg_case_picture now;

	vg_case_picture(c, &now);
	ck_assert_str_eq(now.maps, picture->maps);
	ck_assert_uint_eq(now.code_bytes, picture->code_bytes);
	ck_assert_mem_eq(now.code, picture->code, now.code_bytes);
	vg_case_picture_clear(&now);
}

static bool is_mapped_as(const struct vg_case *c, const struct vg_case_picture *picture)
{
	struct vg_case_picture now;
	bool same;

	vg_case_picture(c, &now);
	same = strcmp(now.maps, picture->maps) == 0;
	vg_case_picture_clear(&now);
	return same;
}

void vg_case_expect_settled(struct vg_case *c, const struct vg_case_picture *picture)
{
	for (int i = 0; i < 100 && !is_mapped_as(c, picture); i++) {
		struct vg_result result;

		vg_case_revert(c, "none", 30, VG_OUTCOME_ALREADY, &result);
		vg_result_clear(&result);
	}
	vg_case_expect_picture(c, picture);
}
