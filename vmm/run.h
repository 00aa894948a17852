/* SPDX-License-Identifier: MIT */
/* `vgraft-vmm run`: argv are the words after the verb; returns the exit status. */
#ifndef VMM_RUN_H
#define VMM_RUN_H

int vmm_run(int argc, char **argv);

#endif
