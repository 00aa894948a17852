/* SPDX-License-Identifier: MIT */
int interpret(const char *program);

int interpret(const char *program)
{
	static const void *const labels[] = {&&increment, &&decrement, &&end};
	int value = 0;

	for (;;) {
		goto *labels[*program == 'i' ? 0 : *program == 'd' ? 1 : 2];
increment:
		value++;
		program++;
		continue;
decrement:
		value--;
		program++;
	}
end:
	return value;
}
