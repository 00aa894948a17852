/* SPDX-License-Identifier: MIT */
long ask(long value);
long first(long value);
long second(long value);

long ask(long value)
{
	return first(value) * 100 + second(value);
}
