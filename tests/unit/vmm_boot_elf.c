/* SPDX-License-Identifier: MIT */
/* ELF kernels, whole and damaged: a loader of untrusted files loads them or says why not. */
#include "tests/lib/suite.h"
#include "vmm/boot_elf.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY	(UINT64_C(8) << 20)
#define LOAD_AT 0x200000
#define ENTRY	0x200010

struct note {
	Elf64_Nhdr header;
	char name[4];
	uint32_t descriptor;
};

/* A kernel of 68 bytes of code and 188 bytes of .bss, with a PVH note. */
struct image {
	Elf64_Ehdr header;
	Elf64_Phdr load;
	Elf64_Phdr notes;
	struct note note;
	uint8_t code[68]; /* no padding behind it: every byte of the file counts */
};

static char path[32];
static struct guest_memory memory;
static struct image image;

static void image_make(void)
{
	image = (struct image){
		.header =
			{
				.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
					    ELFDATA2LSB, 1},
				.e_type = ET_EXEC,
				.e_machine = EM_X86_64,
				.e_version = 1,
				.e_entry = LOAD_AT,
				.e_phoff = offsetof(struct image, load),
				.e_ehsize = sizeof(Elf64_Ehdr),
				.e_phentsize = sizeof(Elf64_Phdr),
				.e_phnum = 2,
			},
		.load =
			{
				.p_type = PT_LOAD,
				.p_offset = offsetof(struct image, code),
				.p_paddr = LOAD_AT,
				.p_filesz = sizeof(image.code),
				.p_memsz = 256,
			},
		.notes =
			{
				.p_type = PT_NOTE,
				.p_offset = offsetof(struct image, note),
				.p_filesz = sizeof(image.note),
				.p_align = 4,
			},
		.note = {{4, 4, 18}, "Xen", ENTRY},
	};
	memset(image.code, 0x90, sizeof(image.code));
}

static void setup(void)
{
	strcpy(path, "/tmp/vmm-kernel-XXXXXX");

	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_ptr_null(guest_memory_create(&memory, MEMORY, NULL));
	memset(memory.host, 0xaa, MEMORY);
	image_make();
}

static void teardown(void)
{
	guest_memory_destroy(&memory);
	unlink(path);
}

static struct vmm_error *load_bytes(struct elf_kernel *kernel, const void *data, size_t size)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	fclose(file);
	return elf_kernel_load(kernel, path, &memory);
}

static struct vmm_error *load(struct elf_kernel *kernel)
{
	return load_bytes(kernel, &image, sizeof(image));
}

static void is_refused(const char *says)
{
	struct elf_kernel kernel;
	struct vmm_error *error = load(&kernel);

	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_USAGE);
	ck_assert_msg(strstr(vmm_error_text(error), says), "%s", vmm_error_text(error));
	vmm_error_free(error);
}

START_TEST(a_pvh_kernel_is_loaded_with_its_bss_cleared)
{
	struct elf_kernel kernel;

	ck_assert_ptr_null(load(&kernel));
	ck_assert(kernel.is_64bit && kernel.has_pvh_entry && !kernel.is_linux);
	ck_assert_uint_eq(kernel.pvh_entry, ENTRY);
	ck_assert_uint_eq(kernel.entry, LOAD_AT);
	ck_assert_uint_eq(kernel.end, LOAD_AT + 256);
	ck_assert_uint_eq(memory.host[LOAD_AT + 67], 0x90);
	ck_assert_uint_eq(memory.host[LOAD_AT + 68], 0);
	ck_assert_uint_eq(memory.host[LOAD_AT + 255], 0);
	ck_assert_uint_eq(memory.host[LOAD_AT + 256], 0xaa);
}
END_TEST

#define KERNEL_HALF 0xffffffff80000000 /* where Linux is linked */

START_TEST(a_note_of_another_name_is_no_pvh_entry)
{
	struct elf_kernel kernel;

	image.load.p_vaddr = KERNEL_HALF | LOAD_AT;
	memcpy(image.note.name, "Xem", 4);
	ck_assert_ptr_null(load(&kernel));
	ck_assert(!kernel.has_pvh_entry);
}
END_TEST

static const uint32_t silly_lengths[] = {5, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff};

START_TEST(a_note_with_a_silly_length_is_left_alone)
{
	struct elf_kernel kernel;

	image.load.p_vaddr = KERNEL_HALF | LOAD_AT;
	image.note.header.n_namesz = silly_lengths[_i];
	ck_assert_ptr_null(load(&kernel));
	ck_assert(!kernel.has_pvh_entry);
	image_make();
	image.load.p_vaddr = KERNEL_HALF | LOAD_AT;
	image.note.header.n_descsz = silly_lengths[_i];
	ck_assert_ptr_null(load(&kernel));
	ck_assert(!kernel.has_pvh_entry);
}
END_TEST

/* As a static program is: everything but an entry that a kernel would have. */
START_TEST(a_program_is_refused_by_name_and_leaves_memory_alone)
{
	image.note.header.n_type = 1;
	image.load.p_vaddr = LOAD_AT;
	is_refused("is a program, not a kernel");
	ck_assert_uint_eq(*(uint8_t *)guest_memory_at(&memory, LOAD_AT, 1), 0xaa);
}
END_TEST

START_TEST(a_kernel_without_notes_is_known_by_where_it_is_linked)
{
	struct elf_kernel kernel;

	image.notes.p_type = PT_NULL;
	image.load.p_vaddr = KERNEL_HALF | LOAD_AT;
	ck_assert_ptr_null(load(&kernel));
	ck_assert(!kernel.has_pvh_entry);
	ck_assert(!kernel.is_linux);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct elf_kernel kernel;
	struct vmm_error *error = load_bytes(&kernel, &image, (size_t)_i);

	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_USAGE);
	vmm_error_free(error);
}
END_TEST

struct place {
	uint64_t address, size;
};

static const struct place bad_places[] = {
	{0, 256},
	{0xff000, 0x2000},
	{MEMORY, 256},
	{MEMORY - 128, 256},
	{UINT64_MAX - 127, 256},
	{LOAD_AT, UINT64_MAX},
	{LOAD_AT, MEMORY},
};

START_TEST(a_segment_outside_memory_is_refused)
{
	image.load.p_paddr = bad_places[_i].address;
	image.load.p_memsz = bad_places[_i].size;
	is_refused("not in the guest's memory");
}
END_TEST

START_TEST(a_segment_outside_the_file_is_refused)
{
	static const uint64_t offsets[] = {sizeof(image), sizeof(image) - 1, UINT64_MAX,
					   UINT64_MAX - 63};

	image.load.p_offset = offsets[_i];
	is_refused("cut short or damaged");
}
END_TEST

START_TEST(a_segment_larger_in_the_file_than_in_memory_is_refused)
{
	image.load.p_memsz = 8;
	is_refused("damaged");
}
END_TEST

START_TEST(too_many_program_headers_are_refused)
{
	image.header.e_phnum = 0xffff;
	is_refused("program headers");
	image_make();
	image.header.e_phnum = 0;
	is_refused("program headers");
}
END_TEST

START_TEST(program_headers_outside_the_file_are_refused)
{
	image.header.e_phoff = UINT64_MAX - 8;
	is_refused("cut short or damaged");
}
END_TEST

START_TEST(another_machine_is_refused)
{
	image.header.e_machine = EM_AARCH64;
	is_refused("not for x86");
	image_make();
	image.header.e_ident[EI_DATA] = ELFDATA2MSB;
	is_refused("not for x86");
}
END_TEST

START_TEST(a_file_without_segments_is_refused)
{
	image.load.p_type = PT_NULL;
	is_refused("nothing to load");
}
END_TEST

START_TEST(what_is_no_elf_file_is_refused_and_told_what_it_is)
{
	static uint8_t bytes[1024];
	struct elf_kernel kernel;
	struct vmm_error *error;

	memcpy(bytes + 0x202, "HdrS", 5);
	error = load_bytes(&kernel, bytes, sizeof(bytes));
	ck_assert_ptr_nonnull(strstr(vmm_error_text(error), "bzImage"));
	vmm_error_free(error);
	error = load_bytes(&kernel, "\x28\xb5\x2f\xfd....", 8);
	ck_assert_ptr_nonnull(strstr(vmm_error_text(error), "zstd"));
	vmm_error_free(error);
	error = load_bytes(&kernel, "", 0);
	ck_assert_ptr_nonnull(strstr(vmm_error_text(error), "not an ELF kernel"));
	vmm_error_free(error);
	error = elf_kernel_load(&kernel, "/", &memory);
	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_USAGE);
	vmm_error_free(error);
	error = elf_kernel_load(&kernel, "/nonexistent", &memory);
	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_USAGE);
	vmm_error_free(error);
}
END_TEST

/* Nothing is promised about what comes out, but that something does, inside guest memory. */
START_TEST(a_changed_byte_anywhere_never_harms_us)
{
	uint8_t bytes[sizeof(image)];

	for (unsigned bit = 0; bit < 8; bit++) {
		struct elf_kernel kernel;

		memcpy(bytes, &image, sizeof(image));
		bytes[_i] ^= (uint8_t)(1u << bit);
		vmm_error_free(load_bytes(&kernel, bytes, sizeof(bytes)));
	}
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("vmm ELF kernels");
	TCase *tcase = tcase_create("whole and damaged");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_pvh_kernel_is_loaded_with_its_bss_cleared);
	tcase_add_test(tcase, a_note_of_another_name_is_no_pvh_entry);
	tcase_add_loop_test(tcase, a_note_with_a_silly_length_is_left_alone, 0,
			    COUNT(silly_lengths));
	tcase_add_test(tcase, a_program_is_refused_by_name_and_leaves_memory_alone);
	tcase_add_test(tcase, a_kernel_without_notes_is_known_by_where_it_is_linked);
	tcase_add_loop_test(tcase, every_truncation_is_refused, 0, sizeof(image));
	tcase_add_loop_test(tcase, a_segment_outside_memory_is_refused, 0, COUNT(bad_places));
	tcase_add_loop_test(tcase, a_segment_outside_the_file_is_refused, 0, 4);
	tcase_add_test(tcase, a_segment_larger_in_the_file_than_in_memory_is_refused);
	tcase_add_test(tcase, too_many_program_headers_are_refused);
	tcase_add_test(tcase, program_headers_outside_the_file_are_refused);
	tcase_add_test(tcase, another_machine_is_refused);
	tcase_add_test(tcase, a_file_without_segments_is_refused);
	tcase_add_test(tcase, what_is_no_elf_file_is_refused_and_told_what_it_is);
	tcase_add_loop_test(tcase, a_changed_byte_anywhere_never_harms_us, 0, sizeof(image));
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
