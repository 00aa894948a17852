/* SPDX-License-Identifier: MIT */
/* What the monitor does with and without a fix. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/command.h"
#include "tests/lib/qemu_migrate.h"
#include "tests/qemu/effects/effects.h"

/*
 * A certificate of an elliptic curve: it may sign, and nothing else (RFC 5280, section 4.2.1.3).
 * $1 is the folder, in which the files have the names that QEMU looks for.
 */
#define MAKE_CERTIFICATES                                                                          \
	"cd \"$1\" && printf '[req]\\ndistinguished_name=n\\n[n]\\n[ca]\\n"                        \
	"basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign\\n[leaf]\\n"            \
	"basicConstraints=critical,CA:FALSE\\nkeyUsage=critical,digitalSignature\\n' >conf && "    \
	"new() { openssl req -config conf -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "       \
	"-nodes \"$@\"; } && "                                                                     \
	"new -x509 -extensions ca -subj /CN=ca -keyout ca-key.pem -out ca-cert.pem && "            \
	"new -subj /CN=localhost -keyout server-key.pem -out request.pem && "                      \
	"openssl x509 -req -in request.pem -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial "     \
	"-extfile conf -extensions leaf -days 30 -out server-cert.pem"

static struct vg_error *make_certificates(const struct vg_qemu *qemu)
{
	return vg_process_must_run((const char *const[]){"sh", "-c", MAKE_CERTIFICATES, "sh",
							 vg_qemu_folder(qemu), NULL});
}

/* True where the monitor refuses; an error where it does so for another reason. */
static struct vg_error *is_refused(struct vg_error *refusal, const char *reason, bool *refused)
{
	*refused = refusal && strstr(vg_error_text(refusal), reason);
	if (refusal && !*refused)
		return refusal;
	vg_error_free(refusal);
	return NULL;
}

struct vg_error *effect_x509_key_usage(struct effect_stage *stage, bool *fixed)
{
	struct vg_qmp *qmp = vg_qemu_qmp(stage->qemu);
	bool refused;

	VG_TRY(make_certificates(stage->qemu));
	VG_TRY(is_refused(vg_qmp_ask(qmp, "object-add",
				     json_pack("{s:s, s:s, s:s, s:s}", "qom-type",
					       "tls-creds-x509", "id", "elliptic", "endpoint",
					       "server", "dir", vg_qemu_folder(stage->qemu)),
				     NULL),
			  "does not permit key encipherment", &refused));
	*fixed = !refused;
	if (refused)
		return NULL;
	return vg_qmp_ask(qmp, "object-del", json_pack("{s:s}", "id", "elliptic"), NULL);
}

/* Which node the spare disk has. */
static struct vg_error *spare_node(struct effect_stage *stage, char node[32])
{
	_cleanup_answer_ json_t *answer = NULL;

	VG_TRY(vg_qmp_ask(vg_qemu_qmp(stage->qemu), "qom-get",
			  json_pack("{s:s, s:s}", "path", "/machine/peripheral/spare", "property",
				    "drive"),
			  &answer));
	snprintf(node, 32, "%s", json_string_value(answer) ? json_string_value(answer) : "");
	return NULL;
}

static struct vg_error *set_drive(struct effect_stage *stage, const char *node)
{
	return vg_qmp_ask(vg_qemu_qmp(stage->qemu), "qom-set",
			  json_pack("{s:s, s:s, s:s}", "path", "/machine/peripheral/spare",
				    "property", "drive", "value", node),
			  NULL);
}

/* A drive that an iothread has: refused, and all the same taken without the fix. */
struct vg_error *effect_drive_context(struct effect_stage *stage, bool *fixed)
{
	struct vg_qmp *qmp = vg_qemu_qmp(stage->qemu);
	char node[32];
	bool refused;

	VG_TRY(vg_qmp_ask(qmp, "x-blockdev-set-iothread",
			  json_pack("{s:s, s:s}", "node-name", "foreign", "iothread", "io0"),
			  NULL));
	VG_TRY(is_refused(set_drive(stage, "foreign"), "Different aio context", &refused));
	if (!refused)
		return vg_error_new(VG_FAILED, "the drive of another iothread was not refused");
	VG_TRY(spare_node(stage, node));
	*fixed = strcmp(node, "own") == 0;
	if (!*fixed && strcmp(node, "foreign") != 0)
		return vg_error_new(VG_FAILED, "the spare disk now is '%s'", node);
	if (*fixed)
		return NULL;
	VG_TRY(vg_qmp_ask(qmp, "x-blockdev-set-iothread",
			  json_pack("{s:s, s:n}", "node-name", "own", "iothread"), NULL));
	return set_drive(stage, "own");
}
