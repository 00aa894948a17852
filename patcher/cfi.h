/* SPDX-License-Identifier: MIT */
/*
 * Call frame information: what .eh_frame says about one instruction address.
 *
 * The format is LSB 5.0 core ch. 10.6 (.eh_frame, .eh_frame_hdr) and DWARF 5 § 6.4 (the program of
 * an entry) and § 2.5 (expressions). The bytes are untrusted: every record is copied before it is
 * looked at, every read of it is bounded, programs and expressions have a budget of steps.
 *
 * Thread context: any. Nothing here knows of processes; memory is read through a callback.
 */
#ifndef PATCHER_CFI_H
#define PATCHER_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* DWARF register numbers of x86-64 (psABI § 3.6.2); 16 is the return address column. */
enum {
	CFI_RAX,
	CFI_RDX,
	CFI_RCX,
	CFI_RBX,
	CFI_RSI,
	CFI_RDI,
	CFI_RBP,
	CFI_RSP,
	CFI_R8,
	CFI_R9,
	CFI_R10,
	CFI_R11,
	CFI_R12,
	CFI_R13,
	CFI_R14,
	CFI_R15,
	CFI_RIP,
	CFI_REGISTERS,
};

/* A longer record is given up on: the largest that compilers make are a few KiB. */
#define CFI_RECORD_MAX 32768

/* All of `count` bytes, or false. */
typedef bool cfi_read_fn(void *context, uint64_t address, void *buffer, size_t count);

/* One FDE of a table that has no index of its own. */
struct cfi_pair {
	uint64_t code, record;
};

/* Where the unwind information of one module lies in memory. */
struct cfi_table {
	uint64_t eh_frame, eh_frame_end; /* the records; a zero length ends them earlier */
	uint64_t index, index_end;	 /* .eh_frame_hdr; index = 0: none, records are walked */
	const struct cfi_pair *pairs;	 /* made by cfi_make_pairs(), or NULL */
	size_t pair_count;
	cfi_read_fn *read;
	void *context;
};

enum cfi_result {
	CFI_OK,
	CFI_MISSING, /* nothing covers the address */
	CFI_BROKEN,  /* damaged, or a construct that is not understood */
};

struct cfi_slice {
	const uint8_t *bytes;
	size_t count;
	uint64_t address; /* of bytes[0], for pc-relative pointers */
};

/* An FDE with its CIE. The slices point into the copies. */
struct cfi_entry {
	uint64_t start, end; /* the code it describes */
	uint64_t code_align;
	int64_t data_align;
	uint64_t return_register;
	bool signal_frame; /* augmentation 'S': the caller was interrupted, it did not call */
	uint8_t pointer_encoding;
	struct cfi_slice initial, program;
	uint8_t cie[CFI_RECORD_MAX];
	uint8_t fde[CFI_RECORD_MAX];
};

/* The entry that covers `pc`. */
enum cfi_result cfi_find(const struct cfi_table *table, uint64_t pc, struct cfi_entry *entry);

/*
 * An index for a table without one (programs without dynamic linking have none): all FDEs, sorted.
 * NULL: damaged, or no memory. The caller frees it.
 */
struct cfi_pair *cfi_make_pairs(const struct cfi_table *table, size_t *count);

enum cfi_rule_kind {
	CFI_UNSPECIFIED, /* no rule: the register keeps its value (System V practice) */
	CFI_UNDEFINED,
	CFI_SAME,
	CFI_AT_CFA,	   /* saved at CFA + value */
	CFI_IS_CFA,	   /* is CFA + value */
	CFI_REGISTER,	   /* in register `value` */
	CFI_AT_EXPRESSION, /* saved at the address that the expression gives */
	CFI_IS_EXPRESSION, /* is what the expression gives */
};

struct cfi_rule {
	enum cfi_rule_kind kind;
	int64_t value;
	struct cfi_slice expression;
};

struct cfi_row {
	struct cfi_rule cfa; /* CFI_REGISTER with `offset`, or CFI_IS_EXPRESSION */
	int64_t offset;
	struct cfi_rule rules[CFI_REGISTERS];
};

/* The row of the entry's table that holds at `pc`. */
enum cfi_result cfi_row_at(const struct cfi_entry *entry, uint64_t pc, struct cfi_row *row);

/* What an expression may look at: the registers of the frame, and memory. */
struct cfi_machine {
	uint64_t registers[CFI_REGISTERS];
	uint32_t known; /* bit N: register N has a value */
	cfi_read_fn *read;
	void *context;
};

/* `pushed` is the CFA, which register rules start with; NULL for the CFA's own expression. */
enum cfi_result cfi_evaluate(const struct cfi_slice *expression, const struct cfi_machine *machine,
			     const uint64_t *pushed, uint64_t *value);

/* Bounded reading of a slice; after the first read past the end `bad` is set and all give 0. */
struct cfi_cursor {
	const uint8_t *start, *at, *end;
	uint64_t address; /* of start */
	bool bad;
};

struct cfi_cursor cfi_cursor_of(const struct cfi_slice *slice);
uint64_t cfi_fixed(struct cfi_cursor *cursor, unsigned bytes); /* little-endian, 1..8 bytes */
int64_t cfi_signed(struct cfi_cursor *cursor, unsigned bytes);
uint64_t cfi_uleb(struct cfi_cursor *cursor);
int64_t cfi_sleb(struct cfi_cursor *cursor);
struct cfi_slice cfi_block(struct cfi_cursor *cursor, uint64_t count);

/* DW_EH_PE_* (LSB 5.0 § 10.5.1). `data_base` is what "data-relative" counts from. */
#define CFI_PE_OMIT 0xff
uint64_t cfi_pointer(struct cfi_cursor *cursor, uint8_t encoding, uint64_t data_base);

#endif
