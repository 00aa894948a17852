/* SPDX-License-Identifier: MIT */
int turn(int value);

struct port {
	struct {
		short speed;
		short parity;
	} line;
	int count;
};
static struct port port;

int turn(int value)
{
	port.line.speed = (short)value;
	port.count++;
	return port.line.speed + port.count;
}
