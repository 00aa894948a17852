/* SPDX-License-Identifier: MIT */
/*
 * For the authors of patches: hooks, and shadow variables. C17; depends on nothing, and is compiled
 * with the flags of the program that is patched.
 *
 * Hooks
 *
 *   A file given with `vgraft build --hooks FILE.c` says which of its functions run at a verb:
 *
 *     static int adjust(void) { if (limit > 64) return 1; limit = 64; return 0; }
 *     VGRAFT_PRE_APPLY(adjust)
 *
 *   pre-apply    all threads stopped and safe, the old code still in place
 *   post-apply   the new code in place, nobody has run it yet
 *   pre-revert   all threads stopped, none in the code of the patch, the new code still in place
 *   post-revert  the old code back in place
 *
 *   A pre hook returns 0 to go on; any other number is a veto: nothing is applied or reverted. A
 *   fault (SIGSEGV, SIGBUS, SIGILL, SIGFPE and the like) in a pre hook is a veto too, and so is
 *   one that does not return within 2 seconds. What a hook has written before it vetoes stays
 *   written: look first, write last. A post hook cannot stop anything any more; that it failed is
 *   said in a note.
 *
 *   Context. A hook runs in the target, in one of its threads, while all others are stopped,
 *   perhaps with locks in their hands. So it takes no lock, allocates nothing, makes no system call
 *   and waits for nothing. It may use the program's global variables, its own functions, the
 *   shadow variables below, and of the libraries the plain functions on strings and memory (memcpy,
 *   strlen, and their like). The differ refuses everything else by name. 16 KiB of stack are there.
 *
 *   Idempotent. If vgraft is killed while a hook runs, the thread finishes it and goes on where it
 *   was; the next verb finds that in the journal, and runs post hooks again. So running a hook
 *   twice must be the same as once. Pre hooks run again when the verb is tried again.
 *
 * Shadow variables
 *
 *   Fields that a fix adds to an object that lives already: kept apart, found by the object's
 *   address and a number (1 to 65535). They lie in the memory of the patch: VGRAFT_SHADOW_COUNT of
 *   them, VGRAFT_SHADOW_BYTES each, zero at first; attach returns NULL when there is no room. No
 *   memory is allocated, so hooks may use them. All calls may be made from any thread at the same
 *   time, but not from signal handlers. All units and hooks of one patch share them; two patches do
 *   not. They are gone when the patch is reverted: a pre-revert or post-revert hook can still read
 *   them.
 *
 *   One C file of the patch (a hooks file or a new file of the diff) says VGRAFT_SHADOW_VARIABLES;
 *   the others just include this header, and may say VGRAFT_SHADOW_NEEDS(size), so that a table
 *   with less room for each is refused when the patch is built. In a file of its own, the table
 *   keeps hooks files fit to be taken, as they are, into a patch of several fixes: that has one
 *   table for all, which says how large. Their numbers must differ then.
 *
 * Replacing (--replace)
 *
 *   A patch that replaces others runs none of their hooks, but gets their shadow variables: in its
 *   stop, before its pre-apply hooks, every variable of theirs is in its own table, under the same
 *   object and number, as it was, byte for byte. Only its address is another one. Nobody uses it
 *   at that time, since no thread is in the code of a patch that is replaced; but where an address
 *   of it was stored elsewhere, a post-apply hook must store the new one. (A pre-apply hook must
 *   not: if the patch does not go in after all, the old one goes on with its own variables.) Until
 *   that hook has run, which is after the other threads have run on if vgraft is killed in between,
 *   the new code may find the old address, where nothing changes any more.
 *
 *   A variable that does not fit, one that two of the replaced patches have, and variables for
 *   which the new patch has no table make vgraft refuse it; `vgraft build --allow shadow` makes a
 *   patch that drops them all instead.
 */
#ifndef VGRAFT_HOOKS_H
#define VGRAFT_HOOKS_H

#include <stddef.h>
#include <stdint.h>

/* In rax and rdx (System V ABI, 3.2.3): rdx is still there when the patcher looks. */
struct vgraft_verdict {
	long long reserved, value;
};

/*
 * The function that the patcher calls. It stays on the stack while the hook runs (the pointer is
 * volatile so that nothing is inlined here), which shows that a hook is running.
 */
#define VGRAFT_HOOK(when, function, call)                                                          \
	static struct vgraft_verdict __attribute__((used, noinline))                               \
	vgraft_hook_##when##_##function(void)                                                      \
	{                                                                                          \
		__typeof__(&function) volatile run = function;                                     \
		struct vgraft_verdict verdict = {0, 0};                                            \
                                                                                                   \
		call;                                                                              \
		return verdict;                                                                    \
	}                                                                                          \
	_Static_assert(1, "wants a semicolon or none")

/* int function(void) */
#define VGRAFT_PRE_APPLY(function)  VGRAFT_HOOK(pre_apply, function, verdict.value = run());
#define VGRAFT_PRE_REVERT(function) VGRAFT_HOOK(pre_revert, function, verdict.value = run());
/* void function(void) */
#define VGRAFT_POST_APPLY(function)  VGRAFT_HOOK(post_apply, function, run());
#define VGRAFT_POST_REVERT(function) VGRAFT_HOOK(post_revert, function, run());

#ifndef VGRAFT_SHADOW_COUNT
#define VGRAFT_SHADOW_COUNT 1024
#endif
#ifndef VGRAFT_SHADOW_BYTES
#define VGRAFT_SHADOW_BYTES 64
#endif

/* The variable, or NULL. */
void *vgraft_shadow_get(void *object, unsigned long id);
/* The variable, made if it is not there; NULL: no room, or `size` is more than one can hold. */
void *vgraft_shadow_attach(void *object, unsigned long id, size_t size);
/* Nobody may use it any more. Nothing happens if it is not there. */
void vgraft_shadow_free(void *object, unsigned long id);
/*
 * All variables of that number, one with each call, in no order; NULL: there are no more. *position
 * is 0 before the first call; object, if it is not NULL, gets whose it is. In hooks these are all;
 * elsewhere one that comes or goes meanwhile may be seen or not.
 *
 *     size_t position = 0;
 *     for (struct quota *quota; (quota = vgraft_shadow_next(QUOTA, &position, NULL));)
 */
void *vgraft_shadow_next(unsigned long id, size_t *position, void **object);

/* What the differ reads: where the table is and how large (VGP_SHADOW_LAYOUT of patch.h). */
#define VGRAFT_SHADOW_LAYOUT 1
struct vgraft_shadow_table {
	uint32_t layout, count, bytes;
};
#define VGRAFT_SHADOW_FREED	1
#define VGRAFT_SHADOW_HASH(key) ((uint64_t)(key)*0x9e3779b97f4a7c15ull >> 32)

/* The variables that this file attaches have up to `size` bytes. */
#define VGRAFT_SHADOW_NEEDS(size)                                                                  \
	static const uint32_t __attribute__((used)) vgraft_shadow_needs = (size)

#define VGRAFT_SHADOW_VARIABLES                                                                    \
	static struct {                                                                            \
		uint64_t keys[VGRAFT_SHADOW_COUNT]; /* 0: never used; else object | id << 48 */    \
		uint32_t sizes[VGRAFT_SHADOW_COUNT];                                               \
		char values[VGRAFT_SHADOW_COUNT][(VGRAFT_SHADOW_BYTES + 15) / 16 * 16]             \
			__attribute__((aligned(16)));                                              \
	} vgraft_shadows;                                                                          \
	static const struct vgraft_shadow_table __attribute__((used)) vgraft_shadow_table = {      \
		VGRAFT_SHADOW_LAYOUT, VGRAFT_SHADOW_COUNT, sizeof(vgraft_shadows.values[0])};      \
	static unsigned char vgraft_shadow_lock;                                                   \
                                                                                                   \
	/* The place of the key, or VGRAFT_SHADOW_COUNT; *room: where it may go. */                \
	static size_t vgraft_shadow_find(uint64_t key, size_t *room)                               \
	{                                                                                          \
		size_t first = (size_t)VGRAFT_SHADOW_HASH(key);                                    \
                                                                                                   \
		*room = VGRAFT_SHADOW_COUNT;                                                       \
		for (size_t i = 0; i < VGRAFT_SHADOW_COUNT; i++) {                                 \
			size_t at = (first + i) % VGRAFT_SHADOW_COUNT;                             \
			uint64_t found =                                                           \
				__atomic_load_n(&vgraft_shadows.keys[at], __ATOMIC_ACQUIRE);       \
                                                                                                   \
			if (found == key)                                                          \
				return at;                                                         \
			if (found <= VGRAFT_SHADOW_FREED && *room == VGRAFT_SHADOW_COUNT)          \
				*room = at;                                                        \
			if (!found)                                                                \
				break;                                                             \
		}                                                                                  \
		return VGRAFT_SHADOW_COUNT;                                                        \
	}                                                                                          \
                                                                                                   \
	/* 0: no key. User addresses have 47 bits. */                                              \
	static uint64_t vgraft_shadow_key(void *object, unsigned long id)                          \
	{                                                                                          \
		uint64_t address = (uint64_t)(uintptr_t)object;                                    \
                                                                                                   \
		return address >> 48 || !id || id > 0xffff ? 0 : address | (uint64_t)id << 48;     \
	}                                                                                          \
                                                                                                   \
	/* Nobody can be stopped while holding it when a hook runs: that is code of the patch, */  \
	/* and hooks run while no thread is in it. */                                              \
	static void vgraft_shadow_take(void)                                                       \
	{                                                                                          \
		while (__atomic_test_and_set(&vgraft_shadow_lock, __ATOMIC_ACQUIRE))               \
			__builtin_ia32_pause();                                                    \
	}                                                                                          \
                                                                                                   \
	/* With the lock. */                                                                       \
	static void vgraft_shadow_make(size_t at, uint64_t key)                                    \
	{                                                                                          \
		for (size_t i = 0; i < sizeof(vgraft_shadows.values[0]); i++)                      \
			vgraft_shadows.values[at][i] = 0;                                          \
		vgraft_shadows.sizes[at] = 0;                                                      \
		__atomic_store_n(&vgraft_shadows.keys[at], key, __ATOMIC_RELEASE);                 \
	}                                                                                          \
                                                                                                   \
	void *vgraft_shadow_get(void *object, unsigned long id)                                    \
	{                                                                                          \
		uint64_t key = vgraft_shadow_key(object, id);                                      \
		size_t room, at = key ? vgraft_shadow_find(key, &room) : VGRAFT_SHADOW_COUNT;      \
                                                                                                   \
		return at < VGRAFT_SHADOW_COUNT ? vgraft_shadows.values[at] : NULL;                \
	}                                                                                          \
                                                                                                   \
	void *vgraft_shadow_attach(void *object, unsigned long id, size_t size)                    \
	{                                                                                          \
		uint64_t key = vgraft_shadow_key(object, id);                                      \
		size_t room, at;                                                                   \
                                                                                                   \
		if (!key || size > sizeof(vgraft_shadows.values[0]))                               \
			return NULL;                                                               \
		vgraft_shadow_take();                                                              \
		at = vgraft_shadow_find(key, &room);                                               \
		if (at == VGRAFT_SHADOW_COUNT && room < VGRAFT_SHADOW_COUNT)                       \
			vgraft_shadow_make(at = room, key);                                        \
		if (at < VGRAFT_SHADOW_COUNT && vgraft_shadows.sizes[at] < size)                   \
			vgraft_shadows.sizes[at] = (uint32_t)size;                                 \
		__atomic_clear(&vgraft_shadow_lock, __ATOMIC_RELEASE);                             \
		return at < VGRAFT_SHADOW_COUNT ? vgraft_shadows.values[at] : NULL;                \
	}                                                                                          \
                                                                                                   \
	void vgraft_shadow_free(void *object, unsigned long id)                                    \
	{                                                                                          \
		uint64_t key = vgraft_shadow_key(object, id);                                      \
		size_t room, at;                                                                   \
                                                                                                   \
		if (!key)                                                                          \
			return;                                                                    \
		vgraft_shadow_take();                                                              \
		at = vgraft_shadow_find(key, &room);                                               \
		if (at < VGRAFT_SHADOW_COUNT)                                                      \
			__atomic_store_n(&vgraft_shadows.keys[at], VGRAFT_SHADOW_FREED,            \
					 __ATOMIC_RELEASE);                                        \
		__atomic_clear(&vgraft_shadow_lock, __ATOMIC_RELEASE);                             \
	}                                                                                          \
                                                                                                   \
	void *vgraft_shadow_next(unsigned long id, size_t *position, void **object)                \
	{                                                                                          \
		while (*position < VGRAFT_SHADOW_COUNT) {                                          \
			size_t at = (*position)++;                                                 \
			uint64_t key =                                                             \
				__atomic_load_n(&vgraft_shadows.keys[at], __ATOMIC_ACQUIRE);       \
                                                                                                   \
			if (key <= VGRAFT_SHADOW_FREED || key >> 48 != id)                         \
				continue;                                                          \
			if (object)                                                                \
				*object = (void *)(uintptr_t)(key & 0xffffffffffff);               \
			return vgraft_shadows.values[at];                                          \
		}                                                                                  \
		return NULL;                                                                       \
	}                                                                                          \
	_Static_assert(1, "wants a semicolon or none")

#endif
