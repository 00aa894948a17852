/* SPDX-License-Identifier: MIT */
/*
 * Two ways out for a guest, at the addresses where PC chipsets have them:
 *
 *   0x604  ACPI PM1a control (ACPI 6.4 §4.8.3.2.1), 16 bits: SLP_EN (bit 13) powers the guest off
 *          as two bytes: the sleep status (never woken) and sleep control registers (§4.8.3.7) of
 *          hardware-reduced ACPI, which has SLP_EN at the same place
 *   0xcf9  reset control (Intel ICH, RST_CNT), 8 bits: RST_CPU (bit 2) resets the guest
 */
#ifndef VMM_POWER_H
#define VMM_POWER_H

#include "vmm/device.h"
#include "vmm/ending.h"

#define POWER_PM1A_PORT		 0x604
#define POWER_RESET_PORT	 0xcf9
#define POWER_SLEEP_STATUS_PORT	 0x604
#define POWER_SLEEP_CONTROL_PORT 0x605
#define POWER_STATE_VERSION	 1

struct power_state {
	uint32_t version;
};

struct power {
	struct power_state state;
	struct ending *ending;
};

extern const struct device_ops power_off_ops;
extern const struct device_ops power_reset_ops;

#endif
