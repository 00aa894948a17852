/* SPDX-License-Identifier: MIT */
#include "vmm/irq_line.h"

#include "vmm/kvm.h"

#include <linux/kvm.h>

void irq_line_set(struct irq_line *line, bool level)
{
	struct kvm_irq_level request = {.irq = line->irq, .level = level};

	if (line->level == level)
		return;
	line->level = level;
	if (line->vm_fd >= 0)
		kvm_ioctl(line->vm_fd, KVM_IRQ_LINE, &request);
}
