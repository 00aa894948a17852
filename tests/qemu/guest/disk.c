// SPDX-License-Identifier: MIT
/*
 * The disk stream. Each thread owns every THREADS-th block and goes over them in a random order:
 * what it wrote last is still there; a new write; that is there. Past the page cache, so that every
 * request reaches the device.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/qemu/guest/guest.h"
#include "tests/qemu/guest/stream.h"

#define THREADS	    4
#define FLUSH_EVERY 16 /* turns of a thread */
#define DISK	    "/dev/vda"

static struct {
	struct counters *counters;
	const atomic_bool *stop;
	int file;
	uint64_t sequence[STREAM_BLOCKS]; /* of each block's last write; 0: none yet */
	pthread_t threads[THREADS];
} stream;

static off_t place(uint64_t number)
{
	return (off_t)(number * STREAM_BLOCK_STEP);
}

static void read_and_check(uint64_t number, void *block)
{
	struct stream_header found;

	memset(block, 0xee, STREAM_BLOCK_BYTES);
	if (pread(stream.file, block, STREAM_BLOCK_BYTES, place(number)) != STREAM_BLOCK_BYTES) {
		stream.counters->corrupt++;
		return;
	}
	memcpy(&found, block, sizeof(found));
	if (!stream_is_whole(block, STREAM_BLOCK_BYTES) || found.kind != STREAM_BLOCK ||
	    found.number != number || found.sequence > stream.sequence[number])
		stream.counters->corrupt++;
	else if (found.sequence < stream.sequence[number])
		stream.counters->lost++;
	else
		stream.counters->verified++;
}

static void write_next(uint64_t number, void *block)
{
	struct stream_header header = {STREAM_BLOCK, number, ++stream.sequence[number]};

	stream_fill(block, STREAM_BLOCK_BYTES, &header);
	if (pwrite(stream.file, block, STREAM_BLOCK_BYTES, place(number)) == STREAM_BLOCK_BYTES)
		stream.counters->verified++; /* read_and_check() will say if it was not done */
	else
		stream.counters->corrupt++;
}

static void flush(void)
{
	if (fdatasync(stream.file) == 0)
		stream.counters->flushes++;
	else
		stream.counters->corrupt++;
}

static void *run(void *argument)
{
	uint64_t first = (uintptr_t)argument, random = first + 1;
	void *block = aligned_alloc(STREAM_BLOCK_BYTES, STREAM_BLOCK_BYTES);

	for (unsigned int turn = 1; block && !*stream.stop; turn++) {
		uint64_t number =
			first + THREADS * (stream_random(&random) % (STREAM_BLOCKS / THREADS));

		if (stream.sequence[number])
			read_and_check(number, block);
		write_next(number, block);
		read_and_check(number, block);
		if (turn % FLUSH_EVERY == 0)
			flush();
	}
	flush();
	free(block);
	return NULL;
}

static void open_disk(void)
{
	stream.file = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (stream.file < 0)
		give_up("cannot open %s: %s", DISK, strerror(errno));
}

void disk_start(struct counters *counters, const atomic_bool *stop)
{
	stream.counters = counters;
	stream.stop = stop;
	open_disk();
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&stream.threads[i], NULL, run, (void *)i) != 0)
			give_up("cannot start a thread");
}

void disk_join(void)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(stream.threads[i], NULL);
	close(stream.file);
}

uint64_t disk_sum(void)
{
	uint64_t sum = 0;

	for (uint64_t number = 0; number < STREAM_BLOCKS; number++)
		if (stream.sequence[number])
			sum += stream_share(number, stream.sequence[number]);
	return sum;
}

void disk_read_one(void)
{
	void *block = aligned_alloc(STREAM_BLOCK_BYTES, STREAM_BLOCK_BYTES);

	open_disk();
	if (!block || pread(stream.file, block, STREAM_BLOCK_BYTES, place(STREAM_BLOCKS)) < 0)
		say("vg-read failed: %s", strerror(errno));
	else
		say("vg-read done");
	free(block);
	close(stream.file);
}
