/* SPDX-License-Identifier: MIT */
#include "serve.h"

int area(int side)
{
	return side * side;
}

int main(void)
{
	return serve();
}
