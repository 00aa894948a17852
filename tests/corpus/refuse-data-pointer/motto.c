/* SPDX-License-Identifier: MIT */
const char *motto(int value);

extern const char *words;
const char *words = "slow and steady";

const char *motto(int value)
{
	return value ? words : "";
}
