/* SPDX-License-Identifier: MIT */
/*
 * The variables that live.diff has in place of the field, and the seal on every device whose driver
 * had come to an agreement before the patch came.
 */
#include <vgraft/hooks.h>

#include "vmm/machine.h"

#include <linux/virtio_config.h>

#define FEATURES_SEALED 1 /* as in live.diff */

VGRAFT_SHADOW_VARIABLES;

/*
 * Runs again when the verb is tried again. In between a device may have been reset by the old code,
 * which knows of no seal to break; so what is not agreed on is unsealed.
 */
static int seal_agreements(void)
{
	struct machine *machine = machine_alive;

	for (unsigned i = 0; machine && i < machine->disk_count; i++) {
		struct virtio_mmio *device = &machine->disks[i]->transport;

		if (!(device->state.status & VIRTIO_CONFIG_S_FEATURES_OK))
			vgraft_shadow_free(device, FEATURES_SEALED);
		else if (!vgraft_shadow_attach(device, FEATURES_SEALED, 1))
			return 1;
	}
	return 0;
}
VGRAFT_PRE_APPLY(seal_agreements);
