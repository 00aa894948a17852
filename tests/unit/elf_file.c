/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/error.h"
#include "common/text_file.h"
#include "tests/lib/suite.h"

static const char self[] = "/proc/self/exe";

static int file_of(const void *bytes, size_t count)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, count), (ssize_t)count);
	return fd;
}

START_TEST(the_running_test_has_a_build_id_and_symbols)
{
	_cleanup_(vg_elf_cleanup) struct vg_elf *elf = NULL;
	_cleanup_(vg_symbols_clear) struct vg_symbols symbols = {0};
	bool found = false;

	ck_assert_ptr_null(vg_elf_open(self, &elf));
	ck_assert_uint_gt(elf->build_id_bytes, 0);
	ck_assert_ptr_null(vg_elf_symbols(elf, SHT_SYMTAB, &symbols));
	for (size_t i = 0; i < symbols.count; i++)
		if (strcmp(symbols.symbols[i].name, "file_of") == 0) {
			ck_assert_str_eq(symbols.symbols[i].file, "elf_file.c");
			found = true;
		}
	ck_assert(found);
}
END_TEST

START_TEST(a_libc_import_has_its_version)
{
	_cleanup_(vg_elf_cleanup) struct vg_elf *elf = NULL;
	_cleanup_(vg_symbols_clear) struct vg_symbols symbols = {0};
	bool found = false;

	ck_assert_ptr_null(vg_elf_open(self, &elf));
	ck_assert_ptr_null(vg_elf_symbols(elf, SHT_DYNSYM, &symbols));
	for (size_t i = 0; i < symbols.count; i++)
		if (strcmp(symbols.symbols[i].name, "memfd_create") == 0) {
			ck_assert_str_eq(symbols.symbols[i].version, "GLIBC_2.27");
			found = true;
		}
	ck_assert(found);
}
END_TEST

START_TEST(bytes_are_read_by_address_and_not_beyond_a_segment)
{
	_cleanup_(vg_elf_cleanup) struct vg_elf *elf = NULL;
	uint64_t bias = (uint64_t)(uintptr_t)_r_debug.r_map->l_addr;
	uint8_t code[16];

	ck_assert_ptr_null(vg_elf_open(self, &elf));
	uint64_t address = (uint64_t)(uintptr_t)vg_suite_run - bias;
	ck_assert_ptr_null(vg_elf_read(elf, address, code, sizeof(code)));
	ck_assert_mem_eq(code, (void *)vg_suite_run, sizeof(code));

	struct vg_error *error = vg_elf_read(elf, UINT64_MAX - 8, code, sizeof(code));
	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	vg_error_free(error);
}
END_TEST

START_TEST(what_is_no_x86_64_elf_is_refused_by_name)
{
	_cleanup_free_ char *bytes = NULL;
	struct vg_elf *elf = NULL;
	size_t count;

	ck_assert_ptr_null(vg_text_file_read(self, &bytes, &count));
	((Elf64_Ehdr *)bytes)->e_machine = EM_AARCH64;
	struct vg_error *error = vg_elf_open_fd(file_of(bytes, count), "arm", &elf);
	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	ck_assert_ptr_nonnull(strstr(vg_error_text(error), "AArch64"));
	vg_error_free(error);

	error = vg_elf_open_fd(file_of("hello", 5), "text", &elf);
	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	vg_error_free(error);

	error = vg_elf_open("/nonexistent", &elf);
	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	vg_error_free(error);

	error = vg_elf_open("/", &elf);
	ck_assert_int_eq(vg_error_code(error), VG_USAGE);
	vg_error_free(error);
}
END_TEST

static void read_everything(int fd)
{
	struct vg_elf *elf = NULL;
	struct vg_symbols symbols = {0};
	uint8_t buffer[64];
	struct vg_error *error = vg_elf_open_fd(fd, "truncated", &elf);

	if (!error)
		error = vg_elf_symbols(elf, SHT_DYNSYM, &symbols);
	vg_error_free(error);
	if (elf) {
		vg_symbols_clear(&symbols);
		error = vg_elf_symbols(elf, SHT_SYMTAB, &symbols);
		vg_error_free(error);
		error = vg_elf_read(elf, 0x1000, buffer, sizeof(buffer));
		vg_error_free(error);
	}
	vg_symbols_clear(&symbols);
	vg_elf_close(elf);
}

/* PN_XNUM: the number stands in the first section header, and here it is 2^27. */
START_TEST(program_headers_outside_the_file_are_refused_and_not_walked)
{
	_cleanup_(vg_elf_cleanup) struct vg_elf *elf = NULL;
	struct {
		Elf64_Ehdr header;
		Elf64_Shdr first;
	} file = {.header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			     .e_type = ET_DYN,
			     .e_machine = EM_X86_64,
			     .e_version = EV_CURRENT,
			     .e_phoff = 0x10000000,
			     .e_shoff = sizeof(Elf64_Ehdr),
			     .e_ehsize = sizeof(Elf64_Ehdr),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phnum = PN_XNUM,
			     .e_shentsize = sizeof(Elf64_Shdr),
			     .e_shnum = 1},
		  .first = {.sh_info = 1u << 27}};
	struct vg_error *error = vg_elf_open_fd(file_of(&file, sizeof(file)), "many", &elf);

	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	ck_assert_ptr_nonnull(strstr(vg_error_text(error), "program headers"));
	vg_error_free(error);
}
END_TEST

START_TEST(a_truncated_file_gives_errors_and_no_crash)
{
	_cleanup_free_ char *bytes = NULL;
	size_t count;

	ck_assert_ptr_null(vg_text_file_read(self, &bytes, &count));
	for (size_t length = 0; length < count; length += length < 1024 ? 7 : 4093)
		read_everything(file_of(bytes, length));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("elf_file");
	TCase *tcase = tcase_create("elf_file");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_running_test_has_a_build_id_and_symbols);
	tcase_add_test(tcase, a_libc_import_has_its_version);
	tcase_add_test(tcase, bytes_are_read_by_address_and_not_beyond_a_segment);
	tcase_add_test(tcase, what_is_no_x86_64_elf_is_refused_by_name);
	tcase_add_test(tcase, program_headers_outside_the_file_are_refused_and_not_walked);
	tcase_add_test(tcase, a_truncated_file_gives_errors_and_no_crash);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
