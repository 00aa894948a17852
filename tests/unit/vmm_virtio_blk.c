/* SPDX-License-Identifier: MIT */
/* A virtio disk as a driver sees it: through its registers and its queue, without KVM. */
#include "tests/lib/suite.h"
#include "vmm/virtio_blk.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MEMORY	    (UINT64_C(4) << 20)
#define SECTORS	    64
#define SIZE	    8
#define DESCRIPTORS 0x1000
#define AVAIL	    0x2000
#define USED	    0x3000
#define HEADER	    0x4000
#define STATUS	    0x5000
#define DATA	    0x10000
#define DATA_SIZE   0x10000
#define UNTOUCHED   0xee

#define READY (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define LIVE  (READY | VIRTIO_CONFIG_S_DRIVER_OK)

static char path[32];
static struct guest_memory memory;
static struct virtio_blk disk;
static struct vring_desc *descriptors;
static struct vring_avail *avail;
static struct vring_used *used;

static uint32_t get(uint64_t offset)
{
	uint8_t data[4];

	virtio_mmio_ops.read(&disk.transport, offset, data, sizeof(data));
	return (uint32_t)device_value(data, sizeof(data));
}

static void set(uint64_t offset, uint32_t value)
{
	uint8_t data[4];

	device_answer(data, sizeof(data), value);
	virtio_mmio_ops.write(&disk.transport, offset, data, sizeof(data));
}

static void agree(uint32_t features)
{
	set(VIRTIO_MMIO_STATUS, 0);
	set(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set(VIRTIO_MMIO_DRIVER_FEATURES, features);
	set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(VIRTIO_MMIO_DRIVER_FEATURES, 1); /* VERSION_1 */
	set(VIRTIO_MMIO_STATUS, READY);
}

static void start(void)
{
	memset(guest_memory_at(&memory, 0, DATA), 0, DATA);
	memset(guest_memory_at(&memory, DATA, DATA_SIZE), UNTOUCHED, DATA_SIZE);
	agree(1 << VIRTIO_BLK_F_FLUSH);
	set(VIRTIO_MMIO_QUEUE_SEL, 0);
	set(VIRTIO_MMIO_QUEUE_NUM, SIZE);
	set(VIRTIO_MMIO_QUEUE_DESC_LOW, DESCRIPTORS);
	set(VIRTIO_MMIO_QUEUE_AVAIL_LOW, AVAIL);
	set(VIRTIO_MMIO_QUEUE_USED_LOW, USED);
	set(VIRTIO_MMIO_QUEUE_READY, 1);
	set(VIRTIO_MMIO_STATUS, LIVE);
}

static void disk_open(bool readonly)
{
	memset(&disk, 0, sizeof(disk));
	ck_assert_ptr_null(virtio_blk_create(&disk, 0, path, readonly, &memory));
	virtio_mmio_ops.reset(&disk.transport);
	start();
}

static void setup(void)
{
	strcpy(path, "/tmp/vmm-disk-XXXXXX");

	int fd = mkstemp(path);

	for (unsigned i = 0; i < SECTORS; i++) {
		uint8_t sector[DISK_SECTOR];

		memset(sector, (int)i, sizeof(sector));
		ck_assert_int_eq(write(fd, sector, sizeof(sector)), sizeof(sector));
	}
	close(fd);
	ck_assert_ptr_null(guest_memory_create(&memory, MEMORY, NULL));
	descriptors = guest_memory_at(&memory, DESCRIPTORS, 4096);
	avail = guest_memory_at(&memory, AVAIL, 4096);
	used = guest_memory_at(&memory, USED, 4096);
	disk_open(false);
}

static void teardown(void)
{
	virtio_blk_destroy(&disk);
	guest_memory_destroy(&memory);
	unlink(path);
}

static uint8_t *data(void)
{
	return guest_memory_at(&memory, DATA, DATA_SIZE);
}

static void describe(unsigned index, uint64_t address, uint32_t length, uint16_t flags)
{
	descriptors[index] = (struct vring_desc){
		.addr = address, .len = length, .flags = flags, .next = (uint16_t)(index + 1)};
}

static void header(uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr value = {.type = type, .sector = sector};

	guest_memory_write(&memory, HEADER, &value, sizeof(value));
	*(uint8_t *)guest_memory_at(&memory, STATUS, 1) = UNTOUCHED;
}

static void offer(void)
{
	avail->ring[avail->idx % SIZE] = 0;
	avail->idx++;
	ck_assert(virtio_blk_turn(&disk, 0));
}

/* One request in three descriptors. Returns its status byte. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t length)
{
	uint16_t direction = type == VIRTIO_BLK_T_OUT ? 0 : VRING_DESC_F_WRITE;

	header(type, sector);
	describe(0, HEADER, sizeof(struct virtio_blk_outhdr), VRING_DESC_F_NEXT);
	describe(1, DATA, length, VRING_DESC_F_NEXT | direction);
	describe(2, STATUS, 1, VRING_DESC_F_WRITE);
	offer();
	return *(uint8_t *)guest_memory_at(&memory, STATUS, 1);
}

static uint32_t used_length(void)
{
	return used->ring[(used->idx - 1) % SIZE].len;
}

static void is_broken(void)
{
	ck_assert(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	ck_assert(get(VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	ck_assert_ptr_nonnull(disk.transport.fault);
}

START_TEST(the_registers_say_who_they_are)
{
	ck_assert_uint_eq(get(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	ck_assert_uint_eq(get(VIRTIO_MMIO_VERSION), 2);
	ck_assert_uint_eq(get(VIRTIO_MMIO_DEVICE_ID), 2);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX), VIRTQUEUE_SIZE_MAX);
	ck_assert_uint_eq(get(VIRTIO_MMIO_CONFIG), SECTORS);
	set(VIRTIO_MMIO_QUEUE_SEL, 1);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	set(VIRTIO_MMIO_QUEUE_SEL, UINT32_MAX);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	set(VIRTIO_MMIO_QUEUE_READY, 1);
}
END_TEST

START_TEST(the_configuration_ends_where_it_ends)
{
	uint8_t bytes[8];

	for (uint64_t offset = 0; offset < VIRTIO_MMIO_SIZE - VIRTIO_MMIO_CONFIG; offset++) {
		memset(bytes, UNTOUCHED, sizeof(bytes));
		virtio_mmio_ops.read(&disk.transport, VIRTIO_MMIO_CONFIG + offset, bytes, 4);
		if (offset + 4 > sizeof(struct virtio_blk_config))
			ck_assert_uint_eq(device_value(bytes, 4), 0);
	}
}
END_TEST

START_TEST(features_that_were_not_offered_are_not_agreed_on)
{
	agree(UINT32_MAX);
	ck_assert(!(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK));
	set(VIRTIO_MMIO_STATUS, LIVE);
	ck_assert(!(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_DRIVER_OK));
}
END_TEST

START_TEST(a_driver_without_version_1_is_turned_away)
{
	set(VIRTIO_MMIO_STATUS, 0);
	set(VIRTIO_MMIO_STATUS, READY);
	ck_assert(!(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK));
}
END_TEST

/* The driver features that stand are those of the first agreement: the bit would not stay else. */
START_TEST(only_a_reset_undoes_an_agreement)
{
	set(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(VIRTIO_MMIO_DRIVER_FEATURES, 0);
	set(VIRTIO_MMIO_STATUS, READY);
	ck_assert(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK);
	set(VIRTIO_MMIO_STATUS, 0);
	set(VIRTIO_MMIO_STATUS, READY);
	ck_assert(!(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK));
}
END_TEST

START_TEST(a_read_gives_the_sectors_and_an_interrupt)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 5, 1024), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(data()[0], 5);
	ck_assert_uint_eq(data()[1023], 6);
	ck_assert_uint_eq(data()[1024], UNTOUCHED);
	ck_assert_uint_eq(used_length(), 1025);
	ck_assert_uint_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	set(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	ck_assert_uint_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}
END_TEST

START_TEST(a_write_reaches_the_file_and_only_its_sectors)
{
	uint8_t bytes[3 * DISK_SECTOR];

	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 9, 512), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(used_length(), 1);
	ck_assert_int_eq(pread(disk.image.fd, bytes, sizeof(bytes), 8L * DISK_SECTOR),
			 sizeof(bytes));
	ck_assert_uint_eq(bytes[511], 8);
	ck_assert_uint_eq(bytes[512], UNTOUCHED);
	ck_assert_uint_eq(bytes[1023], UNTOUCHED);
	ck_assert_uint_eq(bytes[1024], 10);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
}
END_TEST

/* §2.7.4.1: the driver may cut a request as it likes. */
START_TEST(header_data_and_status_may_be_cut_anywhere)
{
	header(VIRTIO_BLK_T_IN, 3);
	describe(0, HEADER, 7, VRING_DESC_F_NEXT);
	describe(1, HEADER + 7, 9, VRING_DESC_F_NEXT);
	describe(2, DATA, 100, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	describe(3, DATA + 100, 413, VRING_DESC_F_WRITE);
	offer();
	ck_assert_uint_eq(data()[0], 3);
	ck_assert_uint_eq(data()[511], 3);
	ck_assert_uint_eq(data()[512], VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(used_length(), 513);
}
END_TEST

START_TEST(get_id_gives_the_id_and_nothing_behind_it)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 4096), VIRTIO_BLK_S_OK);
	ck_assert_str_eq((char *)data(), "vgraft-disk-0");
	for (unsigned i = VIRTIO_BLK_ID_BYTES; i < 4096; i++)
		ck_assert_uint_eq(data()[i], UNTOUCHED);
	ck_assert_uint_eq(used_length(), VIRTIO_BLK_ID_BYTES + 1);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 3), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(used_length(), 4);
}
END_TEST

struct span {
	uint64_t sector;
	uint32_t length;
};

static const struct span bad_spans[] = {
	{SECTORS, 512},
	{SECTORS - 1, 1024},
	{0, (SECTORS + 1) * 512},
	{UINT64_MAX, 512},
	{UINT64_MAX / 512, 512},
	{UINT64_MAX / 512 + 1, 512},
	{0, 511},
	{0, 513},
	{SECTORS + 1, 0},
};

START_TEST(a_request_outside_the_disk_is_an_error_and_changes_nothing)
{
	const struct span *span = &bad_spans[_i];

	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, span->sector, span->length), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(data()[0], UNTOUCHED);
	ck_assert_uint_eq(used_length(), 1);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, span->sector, span->length),
			  VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(disk.image.sectors, SECTORS);
	ck_assert_int_eq(lseek(disk.image.fd, 0, SEEK_END), (off_t)SECTORS * DISK_SECTOR);
}
END_TEST

START_TEST(an_unknown_request_is_unsupported)
{
	ck_assert_uint_eq(request(0xdeadbeef, 0, 512), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(data()[0], UNTOUCHED);
}
END_TEST

START_TEST(a_read_only_disk_says_so_and_takes_no_writes)
{
	virtio_blk_destroy(&disk);
	disk_open(true);
	set(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	ck_assert(get(VIRTIO_MMIO_DEVICE_FEATURES) & (1 << VIRTIO_BLK_F_RO));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 7, 512), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(data()[0], 7);
}
END_TEST

START_TEST(a_request_without_a_header_breaks_the_queue_until_reset)
{
	describe(0, HEADER, 15, VRING_DESC_F_NEXT);
	describe(1, STATUS, 1, VRING_DESC_F_WRITE);
	offer();
	is_broken();
	set(VIRTIO_MMIO_STATUS, LIVE);
	is_broken();
	start();
	ck_assert(!(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 1, 512), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(a_request_without_room_for_its_status_breaks_the_queue)
{
	header(VIRTIO_BLK_T_FLUSH, 0);
	describe(0, HEADER, 16, 0);
	offer();
	is_broken();
}
END_TEST

START_TEST(a_queue_outside_memory_breaks_the_device_when_it_becomes_ready)
{
	agree(0);
	set(VIRTIO_MMIO_QUEUE_NUM, SIZE);
	set(VIRTIO_MMIO_QUEUE_DESC_HIGH, 0xffffffff);
	set(VIRTIO_MMIO_QUEUE_READY, 1);
	ck_assert_uint_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	ck_assert(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	ck_assert(virtio_blk_turn(&disk, 0));
}
END_TEST

START_TEST(the_shape_of_a_ready_queue_cannot_be_changed)
{
	set(VIRTIO_MMIO_QUEUE_NUM, 256);
	set(VIRTIO_MMIO_QUEUE_USED_HIGH, 0xffffffff);
	ck_assert_uint_eq(disk.transport.queues[0].state.size, SIZE);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 2, 512), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(accesses_that_are_not_32_bits_wide_do_nothing)
{
	uint8_t bytes[8] = {0};

	virtio_mmio_ops.write(&disk.transport, VIRTIO_MMIO_STATUS, bytes, 1);
	virtio_mmio_ops.write(&disk.transport, VIRTIO_MMIO_STATUS, bytes, 8);
	virtio_mmio_ops.write(&disk.transport, VIRTIO_MMIO_STATUS + 2, bytes, 4);
	virtio_mmio_ops.write(&disk.transport, VIRTIO_MMIO_CONFIG, bytes, 4);
	ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), LIVE);
	ck_assert_uint_eq(get(VIRTIO_MMIO_CONFIG), SECTORS);
}
END_TEST

static void *turns(void *argument)
{
	(void)argument;
	for (int i = 0; i < 20000; i++)
		ck_assert(virtio_blk_turn(&disk, 0));
	return NULL;
}

/* A vCPU that resets and sets up the device again and again while the worker serves it. */
START_TEST(a_reset_in_the_middle_of_a_turn_is_safe)
{
	pthread_t worker;

	ck_assert_int_eq(pthread_create(&worker, NULL, turns, NULL), 0);
	for (int i = 0; i < 300; i++) {
		start();
		header(VIRTIO_BLK_T_IN, 1);
		describe(0, HEADER, 16, VRING_DESC_F_NEXT);
		describe(1, DATA, 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
		describe(2, STATUS, 1, VRING_DESC_F_WRITE);
		__atomic_store_n(&avail->idx, SIZE, __ATOMIC_RELEASE);
		set(VIRTIO_MMIO_STATUS, 0);
		ck_assert_uint_eq(get(VIRTIO_MMIO_STATUS), 0);
		ck_assert_uint_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	}
	pthread_join(worker, NULL);
}
END_TEST

static void disk_is_refused(const char *name, enum vmm_exit code, const char *says)
{
	struct disk_image image;
	struct vmm_error *error = disk_image_open(&image, name, false);

	ck_assert_int_eq(vmm_error_code(error), code);
	ck_assert_msg(strstr(vmm_error_text(error), says), "%s", vmm_error_text(error));
	vmm_error_free(error);
}

START_TEST(a_disk_that_cannot_be_one_is_refused)
{
	disk_is_refused("/", VMM_EXIT_USAGE, "is a directory");
	disk_is_refused("/nonexistent", VMM_EXIT_USAGE, "No such file");
	disk_is_refused("/dev/null", VMM_EXIT_USAGE, "neither a file nor a block device");
	disk_is_refused(path, VMM_EXIT_FAILED, "in use by another guest");
	virtio_blk_destroy(&disk);
	ck_assert_int_eq(truncate(path, 1000), 0);
	disk_is_refused(path, VMM_EXIT_USAGE, "no multiple of 512");
	ck_assert_int_eq(truncate(path, 0), 0);
	disk_is_refused(path, VMM_EXIT_USAGE, "empty");
}
END_TEST

/* A worker that tried again and again would burn a CPU; one that gave up would hang the guest. */
START_TEST(a_worker_that_can_never_wait_again_ends_the_machine_with_the_reason)
{
	struct ending ending;

	ck_assert_ptr_null(ending_create(&ending));
	disk.ending = &ending;
	ck_assert(virtio_blk_turn(&disk, EINTR));
	ck_assert(virtio_blk_turn(&disk, EAGAIN));
	ck_assert_int_eq(ending_reason(&ending), ENDING_NONE);
	ck_assert(!virtio_blk_turn(&disk, EBADF));
	ck_assert_int_eq(ending_reason(&ending), ENDING_FAILED);
	ck_assert_ptr_nonnull(strstr(ending.text, "virtio-blk 0"));
	ending_destroy(&ending);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("vmm virtio-blk");
	TCase *tcase = tcase_create("a disk");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_registers_say_who_they_are);
	tcase_add_test(tcase, the_configuration_ends_where_it_ends);
	tcase_add_test(tcase, features_that_were_not_offered_are_not_agreed_on);
	tcase_add_test(tcase, a_driver_without_version_1_is_turned_away);
	tcase_add_test(tcase, only_a_reset_undoes_an_agreement);
	tcase_add_test(tcase, a_read_gives_the_sectors_and_an_interrupt);
	tcase_add_test(tcase, a_write_reaches_the_file_and_only_its_sectors);
	tcase_add_test(tcase, header_data_and_status_may_be_cut_anywhere);
	tcase_add_test(tcase, get_id_gives_the_id_and_nothing_behind_it);
	tcase_add_loop_test(tcase, a_request_outside_the_disk_is_an_error_and_changes_nothing, 0,
			    COUNT(bad_spans));
	tcase_add_test(tcase, an_unknown_request_is_unsupported);
	tcase_add_test(tcase, a_read_only_disk_says_so_and_takes_no_writes);
	tcase_add_test(tcase, a_request_without_a_header_breaks_the_queue_until_reset);
	tcase_add_test(tcase, a_request_without_room_for_its_status_breaks_the_queue);
	tcase_add_test(tcase, a_queue_outside_memory_breaks_the_device_when_it_becomes_ready);
	tcase_add_test(tcase, the_shape_of_a_ready_queue_cannot_be_changed);
	tcase_add_test(tcase, accesses_that_are_not_32_bits_wide_do_nothing);
	tcase_add_test(tcase, a_reset_in_the_middle_of_a_turn_is_safe);
	tcase_add_test(tcase, a_worker_that_can_never_wait_again_ends_the_machine_with_the_reason);
	tcase_add_test(tcase, a_disk_that_cannot_be_one_is_refused);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
