/* SPDX-License-Identifier: MIT */
/*
 * The names of the rules that refuse a patch, as they stand in `reasons` of the JSON output and
 * in `vgraft build --allow RULE`. A name, once published, keeps its meaning.
 */
#ifndef VGRAFT_RULES_H
#define VGRAFT_RULES_H

#define VG_RULE_LAYOUT	     "layout"	    /* a type that live objects have changed its layout */
#define VG_RULE_DATA	     "data"	    /* initial value of live data changed */
#define VG_RULE_REMOVED	     "removed"	    /* a global or static was removed or retyped */
#define VG_RULE_CONSTRUCTOR  "constructor"  /* constructors and destructors have run or will run */
#define VG_RULE_OPS_TABLE    "ops-table"    /* a table of functions changed */
#define VG_RULE_SIGNATURE    "signature"    /* callers outside the patch use the old signature */
#define VG_RULE_ENDLESS	     "endless"	    /* a changed function never comes back */
#define VG_RULE_SHORT_ENTRY  "short-entry"  /* no room for a jump at the entry */
#define VG_RULE_THREAD_LOCAL "thread-local" /* a new thread-local variable */
#define VG_RULE_IFUNC	     "ifunc"	    /* a changed resolver has run already */
#define VG_RULE_LTO	     "lto"	    /* copies made by link-time optimisation */
#define VG_RULE_AMBIGUOUS    "ambiguous"    /* more than one candidate, or none, in the target */
#define VG_RULE_MISMATCH     "mismatch"	    /* source and binary differ */
#define VG_RULE_COMPILER     "compiler"	    /* another compiler or version made the target */
#define VG_RULE_HOOK	     "hook"	    /* a hook calls what may block or allocate */
#define VG_RULE_SHADOW	     "shadow"	    /* shadow variables of a replaced patch would be lost */
#define VG_RULE_SECCOMP	     "seccomp"	    /* the target's filters deny a call we need */

#endif
