/* SPDX-License-Identifier: MIT */
struct record {
	const void *place;
	long code;
};

extern const struct record __start_records[], __stop_records[];

long probe(long value);

static long code_of(const void *place)
{
	for (const struct record *r = __start_records; r < __stop_records; r++)
		if (r->place == place)
			return r->code;
	return -1;
}

/* As kernels note which instructions may fault. */
long probe(long value)
{
	const void *place;

	__asm__ volatile("nop\n"
			 "1:	lea 1b(%%rip), %0\n"
			 ".pushsection records, \"aw\"\n"
			 ".quad 1b\n"
			 ".quad 7\n"
			 ".popsection"
			 : "=r"(place));
	return code_of(place) + value;
}
