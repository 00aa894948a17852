/* SPDX-License-Identifier: MIT */
#include "vmm/virtio_mmio.h"

#include "vmm/event.h"
#include "vmm/replaceable.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#define MAGIC	  0x74726976 /* "virt" */
#define VENDOR_ID 0x54465256 /* "VRFT" */

/* Linux's headers know the bit by another name. */
#define STATUS_DEVICE_NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET

void virtio_mmio_prepare(struct virtio_mmio *device, const struct virtio_class *class,
			 const struct guest_memory *memory)
{
	pthread_mutex_init(&device->turn, NULL);
	pthread_mutex_init(&device->registers, NULL);
	device->class = class;
	device->features = UINT64_C(1) << VIRTIO_F_VERSION_1;
	device->irq.vm_fd = -1;
	device->kick_fd = -1;
	for (unsigned i = 0; i < class->queues; i++)
		device->queues[i].memory = memory;
}

/* Both locks held, or no vCPU running. */
static void device_reset(struct virtio_mmio *device)
{
	device->state = (struct virtio_mmio_state){.version = VIRTIO_MMIO_STATE_VERSION};
	device->fault = NULL;
	for (unsigned i = 0; i < device->class->queues; i++)
		virtqueue_reset(&device->queues[i]);
	irq_line_set(&device->irq, false);
}

static void virtio_mmio_reset(void *opaque)
{
	device_reset(opaque);
}

/* Register lock held. */
static void interrupt_raise(struct virtio_mmio *device, uint32_t reason)
{
	device->state.interrupt_status |= reason;
	irq_line_set(&device->irq, true);
}

void virtio_notify_driver(struct virtio_mmio *device, struct virtqueue *queue)
{
	if (!virtqueue_wants_interrupt(queue))
		return;
	pthread_mutex_lock(&device->registers);
	interrupt_raise(device, VIRTIO_MMIO_INT_VRING);
	pthread_mutex_unlock(&device->registers);
}

/* Register lock held. */
static void device_break(struct virtio_mmio *device, const char *fault)
{
	device->fault = fault;
	if (device->notices)
		notices_post(device->notices, "%s %u waits to be reset: the guest gave it %s",
			     device->class->name, device->number, fault);
	device->state.status |= STATUS_DEVICE_NEEDS_RESET;
	if (device->state.status & VIRTIO_CONFIG_S_DRIVER_OK)
		interrupt_raise(device, VIRTIO_MMIO_INT_CONFIG);
}

void virtio_needs_reset(struct virtio_mmio *device, const char *fault)
{
	pthread_mutex_lock(&device->registers);
	device_break(device, fault);
	pthread_mutex_unlock(&device->registers);
}

/* §2.1: nothing is taken from a queue before DRIVER_OK, nor once the device asks for a reset. */
static bool is_driver_ready(struct virtio_mmio *device)
{
	pthread_mutex_lock(&device->registers);
	uint32_t status = device->state.status;
	pthread_mutex_unlock(&device->registers);

	return (status & VIRTIO_CONFIG_S_DRIVER_OK) && !(status & STATUS_DEVICE_NEEDS_RESET);
}

bool virtio_turn_must_end(struct virtio_mmio *device)
{
	return atomic_load(&device->waiting) > 0;
}

bool virtio_turn_begin(struct virtio_mmio *device)
{
	pthread_mutex_lock(&device->turn);
	if (is_driver_ready(device))
		return true;
	pthread_mutex_unlock(&device->turn);
	return false;
}

void virtio_turn_end(struct virtio_mmio *device)
{
	pthread_mutex_unlock(&device->turn);
}

static struct virtqueue *selected_queue(struct virtio_mmio *device)
{
	uint32_t index = device->state.queue_sel;

	return index < device->class->queues ? &device->queues[index] : NULL;
}

static uint32_t feature_word(uint64_t features, uint32_t selector)
{
	return selector < 2 ? (uint32_t)(features >> (32 * selector)) : 0;
}

/* §4.2.2, the registers that can be read. Register lock held. */
static uint32_t register_read(struct virtio_mmio *device, uint64_t offset)
{
	const struct virtio_mmio_state *state = &device->state;
	const struct virtqueue *queue = selected_queue(device);

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return device->class->device_id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR_ID;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return feature_word(device->features, state->device_features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? VIRTQUEUE_SIZE_MAX : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue ? queue->state.ready : 0;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return state->interrupt_status;
	case VIRTIO_MMIO_STATUS:
		return state->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* §4.2.2: there is no such shared memory region */
	default:
		return 0;
	}
}

/* §4.2.2.2: the device's configuration takes accesses of any size. */
static void config_read(const struct virtio_mmio *device, uint64_t offset, uint8_t *data,
			unsigned size)
{
	size_t config_size = device->class->config_size;

	memset(data, 0, size);
	if (offset < config_size && size <= config_size - offset)
		memcpy(data, (const uint8_t *)device->config + offset, size);
}

static void virtio_mmio_read(void *opaque, uint64_t offset, uint8_t *data, unsigned size)
{
	struct virtio_mmio *device = opaque;
	uint32_t value = 0;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		config_read(device, offset - VIRTIO_MMIO_CONFIG, data, size);
		return;
	}
	if (size == 4) {
		pthread_mutex_lock(&device->registers);
		value = register_read(device, offset);
		pthread_mutex_unlock(&device->registers);
	}
	device_answer(data, size, value);
}

static void write_driver_features(struct virtio_mmio *device, uint32_t value)
{
	struct virtio_mmio_state *state = &device->state;
	unsigned shift = 32 * state->driver_features_sel;

	/* §3.1.1: what was agreed on stays until the next reset. The driver can clear FEATURES_OK
	 * without one, so that the bit alone does not tell. */
	if (state->driver_features_sel >= 2 || state->features_sealed)
		return;
	state->driver_features &= ~((uint64_t)UINT32_MAX << shift);
	state->driver_features |= (uint64_t)value << shift;
}

/* §2.2: a subset of what we offered, and never without VERSION_1 (§6: no legacy interface). */
static bool are_features_acceptable(const struct virtio_mmio *device)
{
	uint64_t driver = device->state.driver_features;

	return !(driver & ~device->features) && (driver & (UINT64_C(1) << VIRTIO_F_VERSION_1));
}

static void write_status(struct virtio_mmio *device, uint32_t value)
{
	struct virtio_mmio_state *state = &device->state;

	if (value == 0) {
		device_reset(device);
		return;
	}
	if ((value & VIRTIO_CONFIG_S_FEATURES_OK) && !are_features_acceptable(device))
		value &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	/* §2.1.1: without agreed features the driver cannot go on. */
	if (!(value & VIRTIO_CONFIG_S_FEATURES_OK))
		value &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	/* Only we set this bit, and only a reset clears it. */
	value &= ~(uint32_t)STATUS_DEVICE_NEEDS_RESET;
	if (value & VIRTIO_CONFIG_S_FEATURES_OK)
		state->features_sealed = 1;
	state->status = (value & 0xff) | (state->status & STATUS_DEVICE_NEEDS_RESET);
	if (state->status & VIRTIO_CONFIG_S_DRIVER_OK)
		event_signal(device->kick_fd);
}

static void write_queue_ready(struct virtio_mmio *device, struct virtqueue *queue, uint32_t value)
{
	if (!(value & 1)) {
		queue->state.ready = 0;
		return;
	}
	if (queue->state.ready)
		return;

	const char *fault = virtqueue_activate(queue);

	if (fault)
		device_break(device, fault);
}

static void address_set(uint64_t *address, bool high, uint32_t value)
{
	unsigned shift = high ? 32 : 0;

	*address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

/* §4.2.2.2: size and addresses are only taken while the queue is not ready. */
static void write_queue_shape(struct virtqueue *queue, uint64_t offset, uint32_t value)
{
	struct virtqueue_state *state = &queue->state;

	if (state->ready)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		state->size = value <= VIRTQUEUE_SIZE_MAX ? (uint16_t)value : 0;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		address_set(&state->descriptor_area, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		address_set(&state->driver_area, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		address_set(&state->device_area, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	}
}

static void write_queue_register(struct virtio_mmio *device, uint64_t offset, uint32_t value)
{
	struct virtqueue *queue = selected_queue(device);

	if (!queue)
		return;
	if (offset == VIRTIO_MMIO_QUEUE_READY)
		write_queue_ready(device, queue, value);
	else
		write_queue_shape(queue, offset, value);
}

/* The registers that shape the device. Both locks held. */
static VMM_REPLACEABLE void register_write(struct virtio_mmio *device, uint64_t offset,
					   uint32_t value)
{
	struct virtio_mmio_state *state = &device->state;

	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		state->device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		write_driver_features(device, value);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		state->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		state->queue_sel = value;
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(device, value);
		break;
	default:
		write_queue_register(device, offset, value);
	}
}

static void acknowledge(struct virtio_mmio *device, uint32_t value)
{
	pthread_mutex_lock(&device->registers);
	device->state.interrupt_status &= ~value;
	irq_line_set(&device->irq, device->state.interrupt_status != 0);
	pthread_mutex_unlock(&device->registers);
}

static void shape(struct virtio_mmio *device, uint64_t offset, uint32_t value)
{
	atomic_fetch_add(&device->waiting, 1);
	pthread_mutex_lock(&device->turn);
	atomic_fetch_sub(&device->waiting, 1);
	pthread_mutex_lock(&device->registers);
	register_write(device, offset, value);
	pthread_mutex_unlock(&device->registers);
	pthread_mutex_unlock(&device->turn);
}

static void virtio_mmio_write(void *opaque, uint64_t offset, const uint8_t *data, unsigned size)
{
	struct virtio_mmio *device = opaque;
	uint32_t value = (uint32_t)device_value(data, size);

	/* §4.2.2.2: registers take 32-bit writes; none of our devices' configuration is writable.
	 */
	if (size != 4 || offset >= VIRTIO_MMIO_CONFIG)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		/* KVM takes notifications of queue 0; this is for hosts that hand one on. */
		if (value < device->class->queues)
			event_signal(device->kick_fd);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		acknowledge(device, value);
		break;
	default:
		shape(device, offset, value);
	}
}

const struct device_ops virtio_mmio_ops = {
	.name = "virtio-mmio",
	.state_version = VIRTIO_MMIO_STATE_VERSION,
	.state_offset = offsetof(struct virtio_mmio, state),
	.state_size = sizeof(struct virtio_mmio_state),
	.reset = virtio_mmio_reset,
	.read = virtio_mmio_read,
	.write = virtio_mmio_write,
};
