/* SPDX-License-Identifier: MIT */
/*
 * How much of Debian's stripped QEMU can be patched: which of its functions are found beyond doubt
 * by the objects of its source, by which method, and whether what was found is true. All objects
 * are compiled for it (minutes, the first time), and linked: that program is Debian's byte for
 * byte but for the build-id, and has a symbol table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/elf_file.h"
#include "common/error.h"
#include "differ/share.h"
#include "tests/bench/lib/measure.h"

#define PROGRAM "qemu-system-x86_64"

static const char *const ways[] = {
	[VG_MATCHED_BY_NAME] = "  exported name",
	[VG_MATCHED_BY_OBJECT] = "  place of its object",
	[VG_MATCHED_BY_CODE] = "  code and data",
};

static const char *const states[] = {
	[VG_SHARE_UNKNOWN] = "none",
	[VG_SHARE_AMBIGUOUS] = "ambiguous",
	[VG_SHARE_CONTESTED] = "contested",
	[VG_SHARE_UNIQUE] = "unique",
};

/* Where the prepared package lies; its objects and the linked program are made. */
static char *make_program(const char *build)
{
	char *package;

	bench_run("'%s/vgraft' build --manifest patches/qemu/CVE-2024-8354/manifest "
		  "--work '%s/packages' -o '%s/share.vgp' 2> '%s/share.log'",
		  build, build, build, build);
	/* units of a module include that header, but ninja is not told so */
	package = bench_line("tests/lib/qemu-ninja '%s' ui/dbus-display1.h " PROGRAM
			     " 2>> '%s/share.log'",
			     build, build);
	package[strcspn(package, "\n")] = '\0';
	return package;
}

struct paths {
	char **at;
	int count;
};

/* Those that the program is made from: not the modules beside it. */
static struct paths read_objects(const char *package)
{
	char path[4096];
	json_t *units, *unit;
	size_t i;
	struct paths paths = {0};

	snprintf(path, sizeof(path), "%s/program-" PROGRAM "-b-qemu.json", package);
	units = json_load_file(path, 0, NULL);
	paths.at = calloc(json_array_size(units) + 1, sizeof(*paths.at));
	if (!units || !paths.at)
		bench_die("cannot read %s", path);
	json_array_foreach(units, i, unit)
	{
		const char *folder = json_string_value(json_object_get(unit, "directory"));
		const char *output = json_string_value(json_object_get(unit, "output"));

		if (asprintf(&paths.at[paths.count++], "%s/%s", folder, output) < 0)
			bench_die("out of memory");
	}
	json_decref(units);
	return paths;
}

static void print_row(const char *what, const struct vg_share_count *count,
		      const struct vg_share_count *all)
{
	printf("%-24s %9zu %8.2f %% %11lu %8.2f %%\n", what, count->functions,
	       100.0 * (double)count->functions / (double)all->functions,
	       (unsigned long)count->bytes, 100.0 * (double)count->bytes / (double)all->bytes);
}

static void print_table(const struct vg_share *share)
{
	printf("%-24s %9s %10s %11s %10s\n", "", "functions", "", "bytes", "");
	print_row("all", &share->all, &share->all);
	for (size_t i = VG_SHARE_STATES; i-- > 0;) {
		print_row(states[i], &share->in[i], &share->all);
		if (i != VG_SHARE_UNIQUE)
			continue;
		for (size_t k = 0; k < VG_MATCH_WAYS; k++)
			print_row(ways[k], &share->by[k], &share->all);
		print_row("  by its object alone", &share->alone, &share->all);
	}
}

static bool is_same_section(struct vg_elf *one, struct vg_elf *other, Elf_Scn *scn)
{
	GElf_Shdr shdr, theirs;
	const char *name;
	Elf_Scn *twin;
	Elf_Data *a, *b;

	if (!gelf_getshdr(scn, &shdr) || !(shdr.sh_flags & SHF_ALLOC) || shdr.sh_type == SHT_NOBITS)
		return true;
	name = elf_strptr(one->elf, one->header.e_shstrndx, shdr.sh_name);
	if (!name || !strcmp(name, ".note.gnu.build-id"))
		return true;
	twin = vg_elf_section(other, name, &theirs);
	a = elf_rawdata(scn, NULL);
	b = twin ? elf_rawdata(twin, NULL) : NULL;
	return a && b && shdr.sh_addr == theirs.sh_addr && a->d_size == b->d_size &&
	       !memcmp(a->d_buf, b->d_buf, a->d_size);
}

/* Only then its symbol table is the truth about the other. */
static bool is_same_program(struct vg_elf *one, struct vg_elf *other)
{
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(one->elf, scn));)
		if (!is_same_section(one, other, scn))
			return false;
	return true;
}

static int by_address(const void *left, const void *right)
{
	const struct vg_symbol *a = left, *b = right;

	return (a->sym.st_value > b->sym.st_value) - (a->sym.st_value < b->sym.st_value);
}

static bool has_name(const struct vg_symbols *symbols, uint64_t address, const char *name)
{
	size_t low = 0, high = symbols->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->symbols[middle].sym.st_value < address)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < symbols->count && symbols->symbols[low].sym.st_value == address; low++)
		if (!strcmp(symbols->symbols[low].name, name))
			return true;
	return false;
}

/* Is each unique one what it is called in the linked program? */
static size_t count_wrong(const struct vg_share *share, struct vg_symbols *truth)
{
	size_t wrong = 0;

	qsort(truth->symbols, truth->count, sizeof(*truth->symbols), by_address);
	for (size_t i = 0; i < share->all.functions; i++) {
		const struct vg_share_function *function = &share->functions[i];

		if (function->state != VG_SHARE_UNIQUE ||
		    has_name(truth, function->address, function->name))
			continue;
		wrong++;
		printf("WRONG: 0x%lx is not %s (%s)\n", (unsigned long)function->address,
		       function->name, function->file);
	}
	return wrong;
}

/* What is not unique, for those who want to know why: VGRAFT_BENCH_LIST names the file. */
static void list_rest(const struct vg_share *share)
{
	const char *path = getenv("VGRAFT_BENCH_LIST");
	FILE *file = path ? fopen(path, "we") : NULL;

	for (size_t i = 0; file && i < share->all.functions; i++) {
		const struct vg_share_function *function = &share->functions[i];

		if (function->state != VG_SHARE_UNIQUE)
			fprintf(file, "%lx %lu %s %s %s\n", (unsigned long)function->address,
				(unsigned long)function->bytes, states[function->state],
				function->name ?: "-", function->file ?: "-");
	}
	if (file)
		fclose(file);
}

static void check(struct vg_error *error)
{
	if (error)
		bench_die("%s", vg_error_text(error));
}

static void check_truth(const struct vg_share *share, const char *target, const char *path)
{
	struct vg_symbols truth = {0};
	struct vg_elf *linked, *shipped;

	check(vg_elf_open(path, &linked));
	check(vg_elf_open(target, &shipped));
	check(vg_elf_symbols(linked, SHT_SYMTAB, &truth));
	if (!is_same_program(linked, shipped))
		printf("the linked program is not Debian's; its symbol table tells nothing\n");
	else
		printf("wrong, by the symbol table of the linked program: %zu\n",
		       count_wrong(share, &truth));
	vg_symbols_clear(&truth);
	vg_elf_close(shipped);
	vg_elf_close(linked);
}

int main(void)
{
	const char *build = getenv("VGRAFT_BUILD") ?: "build";
	char *package = make_program(build), target[4096], linked[4096];
	struct paths paths = read_objects(package);
	struct vg_share share;
	double start = bench_now_ms();

	snprintf(target, sizeof(target), "%s/target/qemu-system-x86/usr/bin/" PROGRAM, package);
	snprintf(linked, sizeof(linked), "%s/source/b/qemu/" PROGRAM, package);
	check(vg_share_measure(target, NULL, paths.at, (size_t)paths.count, &share));
	printf("functions of " PROGRAM " (build-id %s) against %zu objects: %.0f ms (load %.1f)\n",
	       share.build_id, share.objects, bench_now_ms() - start, bench_load());
	print_table(&share);
	check_truth(&share, target, linked);
	list_rest(&share);
	vg_share_clear(&share);
	for (int i = 0; i < paths.count; i++)
		free(paths.at[i]);
	free(paths.at);
	free(package);
	return 0;
}
