/* SPDX-License-Identifier: MIT */
/*
 * A line plot as SVG 1.1, written beside the numbers that a bench prints. Both axes are logarithmic
 * or neither is; values must then be above 0.
 */
#ifndef TESTS_BENCH_LIB_PLOT_H
#define TESTS_BENCH_LIB_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#define PLOT_LINES  6
#define PLOT_POINTS 4096

struct plot_line {
	const char *name;
	double x[PLOT_POINTS], y[PLOT_POINTS];
	size_t count;
};

struct plot {
	const char *title, *x_label, *y_label;
	bool logarithmic;
	struct plot_line lines[PLOT_LINES];
	size_t line_count;
};

struct plot_line *plot_add_line(struct plot *plot, const char *name);
/* More points than fit are dropped. */
void plot_add(struct plot_line *line, double x, double y);
/* Writes BUILD/bench/NAME.svg and prints where it is. */
void plot_write(const struct plot *plot, const char *name);

#endif
