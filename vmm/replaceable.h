/* SPDX-License-Identifier: MIT */
/*
 * Where a guest's word is taken or refused, a fix will be needed one day. Such a function stays a
 * function of its own in the machine code, so that the patch for it is that function and no more,
 * and so that threads are inside it for as short a time as can be.
 */
#ifndef VMM_REPLACEABLE_H
#define VMM_REPLACEABLE_H

#define VMM_REPLACEABLE __attribute__((noinline, noclone))

#endif
