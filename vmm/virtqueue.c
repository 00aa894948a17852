/* SPDX-License-Identifier: MIT */
#include "vmm/virtqueue.h"

#include "vmm/replaceable.h"

#include <string.h>

/* One load of a value that the guest may change at any time. */
#define guest_load(pointer) __atomic_load_n(pointer, __ATOMIC_RELAXED)

void virtqueue_reset(struct virtqueue *queue)
{
	queue->state = (struct virtqueue_state){.version = VIRTQUEUE_STATE_VERSION};
	queue->descriptors = NULL;
	queue->avail = NULL;
	queue->used = NULL;
}

/* §2.7: a power of two. The most we offer bounds every array here. */
static bool is_valid_size(uint16_t size)
{
	return size > 0 && size <= VIRTQUEUE_SIZE_MAX && (size & (size - 1)) == 0;
}

/* §2.7: 16, 2 and 4 bytes. */
static bool is_aligned(const struct virtqueue_state *state)
{
	return state->descriptor_area % 16 == 0 && state->driver_area % 2 == 0 &&
	       state->device_area % 4 == 0;
}

VMM_REPLACEABLE const char *virtqueue_activate(struct virtqueue *queue)
{
	struct virtqueue_state *state = &queue->state;
	uint64_t size = state->size;

	if (!is_valid_size(state->size))
		return "a queue size that is not a power of two up to 256";
	if (!is_aligned(state))
		return "a queue area that is not aligned";

	queue->descriptors = guest_memory_at(queue->memory, state->descriptor_area,
					     size * sizeof(struct vring_desc));
	queue->avail = guest_memory_at(queue->memory, state->driver_area,
				       sizeof(struct vring_avail) + (size + 1) * sizeof(uint16_t));
	queue->used =
		guest_memory_at(queue->memory, state->device_area,
				sizeof(struct vring_used) + size * sizeof(struct vring_used_elem) +
					sizeof(uint16_t));
	if (!queue->descriptors || !queue->avail || !queue->used)
		return "a queue area outside its memory";
	state->next_avail = 0;
	state->next_used = 0;
	state->ready = 1;
	return NULL;
}

static struct vring_desc descriptor_copy(const struct virtqueue *queue, uint16_t index)
{
	const struct vring_desc *descriptor = &queue->descriptors[index];

	return (struct vring_desc){
		.addr = guest_load(&descriptor->addr),
		.len = guest_load(&descriptor->len),
		.flags = guest_load(&descriptor->flags),
		.next = guest_load(&descriptor->next),
	};
}

/* Adds one buffer to the chain, if the guest may name it. Returns NULL, or what is wrong. */
static const char *chain_add(const struct virtqueue *queue, struct virtio_chain *chain,
			     const struct vring_desc *descriptor)
{
	bool writable = descriptor->flags & VRING_DESC_F_WRITE;
	void *host = guest_memory_at(queue->memory, descriptor->addr, descriptor->len);
	unsigned count = chain->readable + chain->writable;

	if (descriptor->flags & VRING_DESC_F_INDIRECT)
		return "an indirect descriptor, which was not offered";
	if (!writable && chain->writable > 0)
		return "a readable descriptor behind a writable one";
	if (!host)
		return "a descriptor outside its memory";
	if (descriptor->len == 0)
		return NULL;
	if (count == VIRTQUEUE_SIZE_MAX)
		return "more descriptors than the queue has";
	/* §2.7.5.2; also what lets a used length be 32 bits wide. */
	if (chain->readable_bytes + chain->writable_bytes + descriptor->len > UINT32_MAX)
		return "a descriptor chain longer than 4 GiB";

	chain->buffers[count] = (struct iovec){.iov_base = host, .iov_len = descriptor->len};
	*(writable ? &chain->writable : &chain->readable) += 1;
	*(writable ? &chain->writable_bytes : &chain->readable_bytes) += descriptor->len;
	return NULL;
}

VMM_REPLACEABLE const char *virtqueue_walk(const struct virtqueue *queue, uint16_t head,
					   struct virtio_chain *chain)
{
	uint16_t index = head;

	chain->head = head;
	chain->readable = chain->writable = 0;
	chain->readable_bytes = chain->writable_bytes = 0;
	for (unsigned seen = 0; seen < queue->state.size; seen++) {
		if (index >= queue->state.size)
			return "a descriptor index outside the table";

		struct vring_desc descriptor = descriptor_copy(queue, index);
		const char *fault = chain_add(queue, chain, &descriptor);

		if (fault || !(descriptor.flags & VRING_DESC_F_NEXT))
			return fault;
		index = descriptor.next;
	}
	/* A chain that visits more descriptors than there are visits one twice: it has no end. */
	return "a descriptor chain without an end";
}

VMM_REPLACEABLE enum virtqueue_result virtqueue_pop(struct virtqueue *queue,
						    struct virtio_chain *chain, const char **fault)
{
	struct virtqueue_state *state = &queue->state;
	/* Acquire: the ring entry and its descriptors were written before the index. */
	uint16_t avail = __atomic_load_n(&queue->avail->idx, __ATOMIC_ACQUIRE);
	uint16_t pending = (uint16_t)(avail - state->next_avail);

	if (pending == 0)
		return VIRTQUEUE_EMPTY;
	if (pending > state->size) {
		*fault = "an available index that ran ahead by more than the queue size";
		return VIRTQUEUE_FAULTY;
	}

	uint16_t head = guest_load(&queue->avail->ring[state->next_avail % state->size]);

	*fault = virtqueue_walk(queue, head, chain);
	if (*fault)
		return VIRTQUEUE_FAULTY;
	state->next_avail++;
	return VIRTQUEUE_CHAIN;
}

void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written)
{
	struct virtqueue_state *state = &queue->state;
	struct vring_used_elem *entry = &queue->used->ring[state->next_used % state->size];

	entry->id = head;
	entry->len = written;
	state->next_used++;
	/* Release: the entry and the data are there before the index says so. */
	__atomic_store_n(&queue->used->idx, state->next_used, __ATOMIC_RELEASE);
}

bool virtqueue_is_empty(const struct virtqueue *queue)
{
	return __atomic_load_n(&queue->avail->idx, __ATOMIC_ACQUIRE) == queue->state.next_avail;
}

bool virtqueue_wants_interrupt(const struct virtqueue *queue)
{
	/* The used index must be out before we look whether the driver sleeps (§2.7.10). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(guest_load(&queue->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}
