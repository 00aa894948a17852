/* SPDX-License-Identifier: MIT */
/* Rings as a hostile guest writes them: each is either taken whole and checked, or refused. */
#include "tests/lib/suite.h"
#include "vmm/virtqueue.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY	    (UINT64_C(4) << 20)
#define SIZE	    8
#define DESCRIPTORS 0x1000
#define AVAIL	    0x2000
#define USED	    0x3000
#define BUFFER	    0x10000

static struct guest_memory memory;
static struct virtqueue queue;
static struct virtio_chain chain;
static const char *fault;

static struct vring_desc *descriptors;
static struct vring_avail *avail;
static struct vring_used *used;

static void setup(void)
{
	ck_assert_ptr_null(guest_memory_create(&memory, MEMORY, NULL));
	queue.memory = &memory;
	virtqueue_reset(&queue);
	queue.state.size = SIZE;
	queue.state.descriptor_area = DESCRIPTORS;
	queue.state.driver_area = AVAIL;
	queue.state.device_area = USED;
	descriptors = guest_memory_at(&memory, DESCRIPTORS, SIZE * sizeof(*descriptors));
	avail = guest_memory_at(&memory, AVAIL, 4096);
	used = guest_memory_at(&memory, USED, 4096);
	fault = NULL;
}

static void teardown(void)
{
	guest_memory_destroy(&memory);
}

static void describe(unsigned index, uint64_t address, uint32_t length, uint16_t flags,
		     uint16_t next)
{
	descriptors[index] =
		(struct vring_desc){.addr = address, .len = length, .flags = flags, .next = next};
}

static void offer(uint16_t head)
{
	avail->ring[avail->idx % SIZE] = head;
	avail->idx++;
}

static void activate(void)
{
	ck_assert_ptr_null(virtqueue_activate(&queue));
}

static void pop_finds_fault(const char *expected)
{
	uint16_t before = queue.state.next_avail;

	ck_assert_int_eq(virtqueue_pop(&queue, &chain, &fault), VIRTQUEUE_FAULTY);
	ck_assert_str_eq(fault, expected);
	ck_assert_uint_eq(queue.state.next_avail, before);
}

START_TEST(an_empty_ring_gives_nothing)
{
	activate();
	ck_assert(virtqueue_is_empty(&queue));
	ck_assert_int_eq(virtqueue_pop(&queue, &chain, &fault), VIRTQUEUE_EMPTY);
}
END_TEST

START_TEST(a_chain_is_copied_with_readable_before_writable_buffers)
{
	activate();
	describe(3, BUFFER, 16, VRING_DESC_F_NEXT, 5);
	describe(5, BUFFER + 4096, 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 0);
	describe(0, BUFFER + 8192, 1, VRING_DESC_F_WRITE, 7);
	offer(3);
	ck_assert_int_eq(virtqueue_pop(&queue, &chain, &fault), VIRTQUEUE_CHAIN);
	ck_assert_uint_eq(chain.head, 3);
	ck_assert_uint_eq(chain.readable, 1);
	ck_assert_uint_eq(chain.writable, 2);
	ck_assert_uint_eq(chain.readable_bytes, 16);
	ck_assert_uint_eq(chain.writable_bytes, 513);
	ck_assert_ptr_eq(chain.buffers[1].iov_base, memory.host + BUFFER + 4096);
	ck_assert(virtqueue_is_empty(&queue));
}
END_TEST

START_TEST(what_the_guest_changes_after_the_pop_does_not_matter)
{
	activate();
	describe(0, BUFFER, 16, 0, 0);
	offer(0);
	ck_assert_int_eq(virtqueue_pop(&queue, &chain, &fault), VIRTQUEUE_CHAIN);
	describe(0, UINT64_MAX, UINT32_MAX, VRING_DESC_F_NEXT, 0);
	ck_assert_ptr_eq(chain.buffers[0].iov_base, memory.host + BUFFER);
	ck_assert_uint_eq(chain.buffers[0].iov_len, 16);
}
END_TEST

START_TEST(a_descriptor_that_points_to_itself_is_a_fault_not_a_hang)
{
	activate();
	describe(2, BUFFER, 4, VRING_DESC_F_NEXT, 2);
	offer(2);
	pop_finds_fault("a descriptor chain without an end");
}
END_TEST

START_TEST(a_circle_of_empty_descriptors_is_a_fault_not_a_hang)
{
	activate();
	for (unsigned i = 0; i < SIZE; i++)
		describe(i, BUFFER, 0, VRING_DESC_F_NEXT, (uint16_t)((i + 1) % SIZE));
	offer(0);
	pop_finds_fault("a descriptor chain without an end");
}
END_TEST

START_TEST(a_chain_of_all_descriptors_is_allowed)
{
	activate();
	for (unsigned i = 0; i < SIZE; i++)
		describe(i, BUFFER + i, 1, i + 1 < SIZE ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1));
	offer(0);
	ck_assert_int_eq(virtqueue_pop(&queue, &chain, &fault), VIRTQUEUE_CHAIN);
	ck_assert_uint_eq(chain.readable, SIZE);
}
END_TEST

START_TEST(a_head_outside_the_table_is_a_fault)
{
	activate();
	offer(SIZE);
	pop_finds_fault("a descriptor index outside the table");
}
END_TEST

START_TEST(a_next_outside_the_table_is_a_fault)
{
	activate();
	describe(0, BUFFER, 4, VRING_DESC_F_NEXT, UINT16_MAX);
	offer(0);
	pop_finds_fault("a descriptor index outside the table");
}
END_TEST

START_TEST(an_index_that_ran_ahead_is_a_fault)
{
	activate();
	avail->idx = SIZE + 1;
	pop_finds_fault("an available index that ran ahead by more than the queue size");
}
END_TEST

START_TEST(the_index_wraps_at_65536)
{
	activate();
	queue.state.next_avail = queue.state.next_used = avail->idx = UINT16_MAX;
	describe(1, BUFFER, 4, 0, 0);
	offer(1);
	ck_assert_int_eq(virtqueue_pop(&queue, &chain, &fault), VIRTQUEUE_CHAIN);
	ck_assert_uint_eq(queue.state.next_avail, 0);
	virtqueue_push(&queue, chain.head, 7);
	ck_assert_uint_eq(used->idx, 0);
	ck_assert_uint_eq(used->ring[UINT16_MAX % SIZE].id, 1);
	ck_assert_uint_eq(used->ring[UINT16_MAX % SIZE].len, 7);
}
END_TEST

struct bad_buffer {
	uint64_t address;
	uint32_t length;
};

static const struct bad_buffer bad_buffers[] = {
	{MEMORY, 1},	     {MEMORY - 1, 2}, {UINT64_MAX, 1},		 {UINT64_MAX - 4095, 4096},
	{UINT64_MAX - 1, 4}, {0, UINT32_MAX}, {GUEST_HIGH_RAM_START, 1}, {UINT64_C(0xd0000000), 4},
};

START_TEST(a_buffer_outside_memory_is_a_fault)
{
	activate();
	describe(0, bad_buffers[_i].address, bad_buffers[_i].length, VRING_DESC_F_WRITE, 0);
	offer(0);
	pop_finds_fault("a descriptor outside its memory");
}
END_TEST

START_TEST(an_indirect_descriptor_is_a_fault)
{
	activate();
	describe(0, BUFFER, 16, VRING_DESC_F_INDIRECT, 0);
	offer(0);
	pop_finds_fault("an indirect descriptor, which was not offered");
}
END_TEST

START_TEST(a_readable_buffer_behind_a_writable_one_is_a_fault)
{
	activate();
	describe(0, BUFFER, 16, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	describe(1, BUFFER, 16, 0, 0);
	offer(0);
	pop_finds_fault("a readable descriptor behind a writable one");
}
END_TEST

/* Sizes that must not become ready; 0xffff and friends would overrun the chain's array. */
static const uint16_t bad_sizes[] = {0, 3, 6, 255, 257, 512, 32768, 65535};

START_TEST(a_queue_with_a_silly_size_never_becomes_ready)
{
	queue.state.size = bad_sizes[_i];
	ck_assert_str_eq(virtqueue_activate(&queue),
			 "a queue size that is not a power of two up to 256");
	ck_assert_uint_eq(queue.state.ready, 0);
}
END_TEST

struct bad_areas {
	uint64_t descriptors, driver, device;
};

static const struct bad_areas bad_areas[] = {
	{MEMORY, AVAIL, USED},
	{MEMORY - 16, AVAIL, USED},
	{DESCRIPTORS, MEMORY - 2, USED},
	{DESCRIPTORS, AVAIL, MEMORY - 4},
	{UINT64_MAX & ~UINT64_C(15), AVAIL, USED},
	{DESCRIPTORS, UINT64_MAX - 1, USED},
	{DESCRIPTORS, AVAIL, UINT64_MAX - 3},
	{DESCRIPTORS + 8, AVAIL, USED},
	{DESCRIPTORS, AVAIL + 1, USED},
	{DESCRIPTORS, AVAIL, USED + 2},
};

START_TEST(a_queue_whose_areas_are_not_in_memory_never_becomes_ready)
{
	queue.state.descriptor_area = bad_areas[_i].descriptors;
	queue.state.driver_area = bad_areas[_i].driver;
	queue.state.device_area = bad_areas[_i].device;
	ck_assert_ptr_nonnull(virtqueue_activate(&queue));
	ck_assert_uint_eq(queue.state.ready, 0);
}
END_TEST

START_TEST(a_driver_that_polls_gets_no_interrupt)
{
	activate();
	ck_assert(virtqueue_wants_interrupt(&queue));
	avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	ck_assert(!virtqueue_wants_interrupt(&queue));
}
END_TEST

/* Any bytes at all: whatever happens, it ends, and no buffer leaves the guest's memory. */
START_TEST(a_ring_of_random_bytes_gives_chains_inside_memory_or_a_fault)
{
	unsigned seed = (unsigned)_i + 1;

	activate();
	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned i = 0; i < SIZE; i++)
			describe(i, (uint64_t)rand_r(&seed) % (2 * MEMORY),
				 (uint32_t)rand_r(&seed) % 8192, (uint16_t)(rand_r(&seed) & 3),
				 (uint16_t)(rand_r(&seed) % (SIZE + 1)));
		avail->idx = (uint16_t)(queue.state.next_avail + 1);
		avail->ring[queue.state.next_avail % SIZE] = (uint16_t)(rand_r(&seed) % SIZE);
		if (virtqueue_pop(&queue, &chain, &fault) != VIRTQUEUE_CHAIN)
			continue;
		ck_assert_uint_le(chain.readable + chain.writable, SIZE);
		for (unsigned i = 0; i < chain.readable + chain.writable; i++) {
			uint8_t *start = chain.buffers[i].iov_base;

			ck_assert(start >= memory.host);
			ck_assert(start + chain.buffers[i].iov_len <= memory.host + MEMORY);
		}
	}
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("vmm virtqueue");
	TCase *tcase = tcase_create("hostile rings");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_empty_ring_gives_nothing);
	tcase_add_test(tcase, a_chain_is_copied_with_readable_before_writable_buffers);
	tcase_add_test(tcase, what_the_guest_changes_after_the_pop_does_not_matter);
	tcase_add_test(tcase, a_descriptor_that_points_to_itself_is_a_fault_not_a_hang);
	tcase_add_test(tcase, a_circle_of_empty_descriptors_is_a_fault_not_a_hang);
	tcase_add_test(tcase, a_chain_of_all_descriptors_is_allowed);
	tcase_add_test(tcase, a_head_outside_the_table_is_a_fault);
	tcase_add_test(tcase, a_next_outside_the_table_is_a_fault);
	tcase_add_test(tcase, an_index_that_ran_ahead_is_a_fault);
	tcase_add_test(tcase, the_index_wraps_at_65536);
	tcase_add_loop_test(tcase, a_buffer_outside_memory_is_a_fault, 0, COUNT(bad_buffers));
	tcase_add_test(tcase, an_indirect_descriptor_is_a_fault);
	tcase_add_test(tcase, a_readable_buffer_behind_a_writable_one_is_a_fault);
	tcase_add_loop_test(tcase, a_queue_with_a_silly_size_never_becomes_ready, 0,
			    COUNT(bad_sizes));
	tcase_add_loop_test(tcase, a_queue_whose_areas_are_not_in_memory_never_becomes_ready, 0,
			    COUNT(bad_areas));
	tcase_add_test(tcase, a_driver_that_polls_gets_no_interrupt);
	tcase_add_loop_test(tcase, a_ring_of_random_bytes_gives_chains_inside_memory_or_a_fault, 0,
			    4);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
