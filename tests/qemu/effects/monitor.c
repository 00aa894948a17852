/* SPDX-License-Identifier: MIT */
/* What the monitor does with and without a fix. */
#include <string.h>

#include "common/error.h"
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
				     json_pack("{s:s, s:s, s:s, s:s}", "qom-type", "tls-creds-x509",
					       "id", "elliptic", "endpoint", "server", "dir",
					       vg_qemu_folder(stage->qemu)),
				     NULL),
			  "does not permit key encipherment", &refused));
	*fixed = !refused;
	if (refused)
		return NULL;
	return vg_qmp_ask(qmp, "object-del", json_pack("{s:s}", "id", "elliptic"), NULL);
}

/* A drive that an iothread has, for a disk of the main loop. */
struct vg_error *effect_drive_context(struct effect_stage *stage, bool *fixed)
{
	struct vg_qmp *qmp = vg_qemu_qmp(stage->qemu);
	bool refused;

	*fixed = false;
	VG_TRY(vg_qmp_ask(qmp, "x-blockdev-set-iothread",
			  json_pack("{s:s, s:s}", "node-name", "foreign", "iothread", "io0"),
			  NULL));

	struct vg_error *error =
		vg_qmp_ask(qmp, "qom-set",
			   json_pack("{s:s, s:s, s:s}", "path", "/machine/peripheral/spare",
				     "property", "drive", "value", "foreign"),
			   NULL);

	if (error && strstr(vg_error_text(error), "does not answer")) {
		vg_error_free(error); /* who asks for this effect looks how QEMU ended */
		return NULL;
	}
	VG_TRY(is_refused(error, "Different aio context", &refused));
	*fixed = refused;
	return vg_qmp_ask(qmp, "x-blockdev-set-iothread",
			  json_pack("{s:s, s:n}", "node-name", "foreign", "iothread"), NULL);
}
