/* SPDX-License-Identifier: MIT */
#include "callback.h"

int with_callback(int (*callback)(void))
{
	int code = callback();

	return code ? 1 : 0;
}
