/* SPDX-License-Identifier: MIT */
/* The JSON lines of `vgraft-vmm run --json`: one object when the guest starts, one when it ends. */
#ifndef VMM_REPORT_H
#define VMM_REPORT_H

#include "vmm/boot.h"
#include "vmm/machine.h"

#include <stdio.h>

void report_started(FILE *to, const struct machine *machine, const struct boot *boot);
void report_ended(FILE *to, const struct machine *machine, int status);

#endif
