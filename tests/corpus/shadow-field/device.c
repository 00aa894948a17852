/* SPDX-License-Identifier: MIT */
struct device {
	int served;
};
struct device devices[2];

int device_request(int number, int bytes);

__attribute__((noinline)) int device_request(int number, int bytes)
{
	struct device *device = &devices[number];

	device->served += bytes;
	return device->served;
}
