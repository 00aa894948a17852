/* SPDX-License-Identifier: MIT */
int dispatch(int command, int value);
int add(int value);
int spread(int value);

int dispatch(int command, int value)
{
	switch (command) {
	case 0:
		return value;
	case 1:
		return add(value);
	case 2:
		return spread(value) - 1;
	case 3:
		return value + 3;
	case 4:
		return spread(add(value));
	case 5:
		return add(spread(value));
	case 6:
		return 1 << command;
	}
	return -1;
}
