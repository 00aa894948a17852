/* SPDX-License-Identifier: MIT */
#include <stdint.h>

int visit(void);

/* A thread-local pointer that libstdc++ exports: std::call_once uses it, and nobody else. */
extern __thread void *_ZSt15__once_callable;

int visit(void)
{
	uintptr_t visits = (uintptr_t)_ZSt15__once_callable + 1;

	_ZSt15__once_callable = (void *)visits;
	return (int)visits;
}
