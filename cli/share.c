/* SPDX-License-Identifier: MIT */
#include "cli/share.h"

#include <stdio.h>

#include "cli/report.h"
#include "common/cleanup.h"
#include "differ/share.h"

static const struct {
	const char *key, *words;
} methods[] = {
	[VG_MATCHED_BY_NAME] = {"by_name", "  by the symbol table"},
	[VG_MATCHED_BY_OBJECT] = {"by_object", "  by the place of the whole object"},
	[VG_MATCHED_BY_CODE] = {"by_code", "  by their own code"},
};

static double percent(size_t part, size_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static void print_count(const struct vg_share *share, const char *words,
			const struct vg_share_count *count)
{
	printf("  %-34s %8zu  %5.1f %%   %10lu bytes  %5.1f %%\n", words, count->functions,
	       percent(count->functions, share->all.functions), (unsigned long)count->bytes,
	       percent(count->bytes, share->all.bytes));
}

static void print_share(const struct vg_share_options *options, const struct vg_share *share)
{
	printf("%s, build-id %s, against %zu objects:\n", options->target, share->build_id,
	       share->objects);
	print_count(share, "functions", &share->all);
	print_count(share, "unique", &share->in[VG_SHARE_UNIQUE]);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		print_count(share, methods[i].words, &share->by[i]);
	print_count(share, "  with their own object alone", &share->alone);
	print_count(share, "ambiguous", &share->in[VG_SHARE_AMBIGUOUS]);
	print_count(share, "contested", &share->in[VG_SHARE_CONTESTED]);
	print_count(share, "unknown", &share->in[VG_SHARE_UNKNOWN]);
}

static void set_count(json_t *object, const char *key, const struct vg_share_count *count)
{
	json_t *value = json_object();

	json_object_set_new(value, "functions", json_integer((json_int_t)count->functions));
	json_object_set_new(value, "bytes", json_integer((json_int_t)count->bytes));
	json_object_set_new(object, key, value);
}

static json_t *json_share(const struct vg_share_options *options, const struct vg_share *share)
{
	json_t *object = json_object();

	json_object_set_new(object, "file", vg_json_text(options->target));
	json_object_set_new(object, "build_id", vg_json_text(share->build_id));
	json_object_set_new(object, "objects", json_integer((json_int_t)share->objects));
	set_count(object, "all", &share->all);
	set_count(object, "unique", &share->in[VG_SHARE_UNIQUE]);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		set_count(object, methods[i].key, &share->by[i]);
	set_count(object, "alone", &share->alone);
	set_count(object, "ambiguous", &share->in[VG_SHARE_AMBIGUOUS]);
	set_count(object, "contested", &share->in[VG_SHARE_CONTESTED]);
	set_count(object, "unknown", &share->in[VG_SHARE_UNKNOWN]);
	return object;
}

int vg_inspect_share(const struct vg_share_options *options)
{
	_cleanup_(vg_share_clear) struct vg_share share = {0};
	struct vg_error *error = vg_share_measure(options->target, options->symbols, options->paths,
						  options->path_count, &share);

	if (error)
		return vg_fail(error);
	if (options->json)
		return vg_print_json(json_share(options, &share));
	print_share(options, &share);
	return VG_DONE;
}
