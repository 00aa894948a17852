/* SPDX-License-Identifier: MIT */
int front(int value);
int serve(int value);

int front(int value)
{
	return serve(value);
}
