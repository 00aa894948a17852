/* SPDX-License-Identifier: MIT */
/*
 * The real-time clock and its battery-backed memory: an MC146818A (Motorola data sheet) behind
 * port 0x70 (index, bit 7 masks NMI and is ignored) and 0x71 (data).
 *
 *   0x00-0x09  time, alarm and date       0x0a-0x0d  registers A to D
 *   0x15-0x18, 0x30, 0x31                 base and extended memory in KiB
 *   0x34, 0x35, 0x5b-0x5d                 memory above 16 MiB and above 4 GiB in 64 KiB
 *   0x32  century       0x5f  number of processors - 1
 *
 * The clock shows UTC. A guest that sets it moves its own clock, not the host's. Flags of
 * register C come and can be polled; the interrupt line (IRQ 8) is not connected.
 *
 * Thread context: vCPU threads; the lock is inside.
 */
#ifndef VMM_RTC_CMOS_H
#define VMM_RTC_CMOS_H

#include "vmm/device.h"
#include "vmm/guest_memory.h"

#include <pthread.h>

#define RTC_PORT	  0x70
#define RTC_PORTS	  2
#define RTC_STATE_VERSION 1
#define RTC_CELLS	  128

struct rtc_state {
	uint32_t version;
	uint8_t index;
	uint8_t cells[RTC_CELLS]; /* the time cells count only while register B has SET */
	int64_t offset_s;	  /* the guest's clock minus the host's */
	uint64_t period_ns;	  /* of the periodic flag; 0: none */
	uint64_t flags_read_ns;	  /* when register C was last read */
};

struct rtc_cmos {
	struct rtc_state state;
	pthread_mutex_t lock;
	uint64_t memory_low;  /* bytes below 4 GiB */
	uint64_t memory_high; /* bytes above */
	unsigned cpus;
};

extern const struct device_ops rtc_cmos_ops;

void rtc_cmos_prepare(struct rtc_cmos *rtc, const struct guest_memory *memory, unsigned cpus);

#endif
