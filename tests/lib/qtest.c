/* SPDX-License-Identifier: MIT */
#include "tests/lib/qtest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/unix_socket.h"

#define BYTES_MAX     4096
#define PCI_ADDRESS   0xcf8
#define PCI_DATA      0xcfc
#define PCI_FUNCTIONS 256
#define PCI_COMMAND   0x04
#define PCI_ALL_ON    0x7 /* ports, memory, bus master */
#define PCI_BAR0      0x10
#define PCI_FIRST_CAP 0x34
#define BAR_IS_PORTS  0x1U

struct vg_qtest {
	FILE *stream; /* to read from; what is sent goes past it */
	bool gone;
};

struct vg_error *vg_qtest_open(const char *path, struct vg_qtest **out)
{
	_cleanup_close_ int fd = -1;
	struct vg_qtest *qtest = calloc(1, sizeof(*qtest));
	struct vg_error *error = qtest ? vg_unix_connect(path, &fd) : vg_error_no_memory();

	if (!error && !(qtest->stream = fdopen(fd, "r")))
		error = vg_error_no_memory();
	if (error) {
		free(qtest);
		return error;
	}
	fd = -1; /* the stream's now */
	*out = qtest;
	return NULL;
}

void vg_qtest_close(struct vg_qtest *qtest)
{
	if (!qtest)
		return;
	fclose(qtest->stream);
	free(qtest);
}

bool vg_qtest_is_gone(const struct vg_qtest *qtest)
{
	return qtest->gone;
}

/* One line and its answer, `OK` and what follows. Interrupts are reported in between. */
static void ask(struct vg_qtest *qtest, const char *line, char *answer, size_t room)
{
	size_t length = strlen(line);

	*answer = '\0';
	if (qtest->gone ||
	    send(fileno(qtest->stream), line, length, MSG_NOSIGNAL) != (ssize_t)length)
		qtest->gone = true;
	while (!qtest->gone) {
		if (!fgets(answer, (int)room, qtest->stream)) {
			*answer = '\0';
			qtest->gone = true;
		} else if (strncmp(answer, "OK", 2) == 0) {
			return;
		}
	}
}

static uint64_t ask_number(struct vg_qtest *qtest, const char *line)
{
	char answer[64];

	ask(qtest, line, answer, sizeof(answer));
	return strlen(answer) > 3 ? strtoull(answer + 3, NULL, 0) : 0;
}

static char letter(unsigned int bytes)
{
	return bytes == 1 ? 'b' : bytes == 2 ? 'w' : 'l';
}

void vg_qtest_out(struct vg_qtest *qtest, uint16_t port, unsigned int bytes, uint32_t value)
{
	char line[64];

	snprintf(line, sizeof(line), "out%c 0x%x 0x%x\n", letter(bytes), port, value);
	ask_number(qtest, line);
}

uint32_t vg_qtest_in(struct vg_qtest *qtest, uint16_t port, unsigned int bytes)
{
	char line[64];

	snprintf(line, sizeof(line), "in%c 0x%x\n", letter(bytes), port);
	return (uint32_t)ask_number(qtest, line);
}

void vg_qtest_writel(struct vg_qtest *qtest, uint64_t address, uint32_t value)
{
	char line[64];

	snprintf(line, sizeof(line), "writel 0x%" PRIx64 " 0x%x\n", address, value);
	ask_number(qtest, line);
}

uint32_t vg_qtest_readl(struct vg_qtest *qtest, uint64_t address)
{
	char line[64];

	snprintf(line, sizeof(line), "readl 0x%" PRIx64 "\n", address);
	return (uint32_t)ask_number(qtest, line);
}

void vg_qtest_write(struct vg_qtest *qtest, uint64_t address, const void *data, size_t bytes)
{
	char line[2 * BYTES_MAX + 64];
	const unsigned char *from = data;
	int at = snprintf(line, sizeof(line), "write 0x%" PRIx64 " 0x%zx 0x", address, bytes);

	for (size_t i = 0; i < bytes; i++)
		at += snprintf(line + at, sizeof(line) - (size_t)at, "%02x", from[i]);
	snprintf(line + at, sizeof(line) - (size_t)at, "\n");
	ask_number(qtest, line);
}

void vg_qtest_read(struct vg_qtest *qtest, uint64_t address, void *data, size_t bytes)
{
	char line[64], answer[2 * BYTES_MAX + 64];
	unsigned char *to = data;

	snprintf(line, sizeof(line), "read 0x%" PRIx64 " 0x%zx\n", address, bytes);
	ask(qtest, line, answer, sizeof(answer));
	memset(data, 0, bytes);
	for (size_t i = 0; i < bytes && strlen(answer) >= 5 + 2 * bytes; i++) {
		char digits[3] = {answer[5 + 2 * i], answer[6 + 2 * i], '\0'};

		to[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
}

/* ---- PCI */

static void select_register(struct vg_qtest *qtest, unsigned int function, unsigned int offset)
{
	vg_qtest_out(qtest, PCI_ADDRESS, 4, 1U << 31 | function << 8 | offset);
}

uint32_t vg_qtest_config(struct vg_qtest *qtest, unsigned int function, unsigned int offset)
{
	select_register(qtest, function, offset & ~3U);
	return vg_qtest_in(qtest, PCI_DATA, 4);
}

void vg_qtest_set_config(struct vg_qtest *qtest, unsigned int function, unsigned int offset,
			 uint32_t value)
{
	select_register(qtest, function, offset & ~3U);
	vg_qtest_out(qtest, PCI_DATA, 4, value);
}

bool vg_qtest_find(struct vg_qtest *qtest, uint32_t id, unsigned int *function)
{
	for (*function = 0; *function < PCI_FUNCTIONS; (*function)++)
		if (vg_qtest_config(qtest, *function, 0) == id)
			return true;
	return false;
}

uint64_t vg_qtest_enable(struct vg_qtest *qtest, unsigned int function, unsigned int bar,
			 uint32_t where)
{
	unsigned int offset = PCI_BAR0 + 4 * bar;
	uint32_t found = vg_qtest_config(qtest, function, offset);
	uint32_t flags = found & BAR_IS_PORTS ? 0x3U : 0xfU;

	if (!(found & ~flags)) {
		vg_qtest_set_config(qtest, function, offset, where);
		found = vg_qtest_config(qtest, function, offset);
	}
	vg_qtest_set_config(qtest, function, PCI_COMMAND, PCI_ALL_ON);
	return found & ~flags;
}

unsigned int vg_qtest_capability(struct vg_qtest *qtest, unsigned int function, uint8_t id)
{
	unsigned int at = vg_qtest_config(qtest, function, PCI_FIRST_CAP) & 0xfc;

	while (at) {
		uint32_t head = vg_qtest_config(qtest, function, at);

		if ((head & 0xff) == id)
			break;
		at = head >> 8 & 0xfc;
	}
	return at;
}
