/* SPDX-License-Identifier: MIT */
const char *greeting(int leaving);

const char *greeting(int leaving)
{
	(void)leaving;
	return "welcome";
}
