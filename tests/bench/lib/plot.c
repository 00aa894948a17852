/* SPDX-License-Identifier: MIT */
#include "tests/bench/lib/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "tests/bench/lib/measure.h"
#include "tests/lib/guest.h"

#define WIDTH  760
#define HEIGHT 440
#define LEFT   80
#define RIGHT  180 /* room for the names */
#define TOP    40
#define BOTTOM 60
#define TICKS  5

static const char *const colours[PLOT_LINES] = {"#1b6ca8", "#c0392b", "#2e7d32",
						"#8e44ad", "#b7791f", "#555555"};

struct axis {
	double low, high;  /* logarithms, on a logarithmic axis */
	int start, length; /* in pixels; a negative length runs upwards */
	bool logarithmic;
};

struct plot_line *plot_add_line(struct plot *plot, const char *name)
{
	if (plot->line_count == PLOT_LINES)
		bench_die("a plot has more than %d lines", PLOT_LINES);
	plot->lines[plot->line_count].name = name;
	return &plot->lines[plot->line_count++];
}

void plot_add(struct plot_line *line, double x, double y)
{
	if (line->count == PLOT_POINTS)
		return;
	line->x[line->count] = x;
	line->y[line->count++] = y;
}

static double scale(const struct axis *axis, double value)
{
	return axis->logarithmic ? log10(value) : value;
}

static void widen(struct axis *axis, const double *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		axis->low = fmin(axis->low, scale(axis, values[i]));
		axis->high = fmax(axis->high, scale(axis, values[i]));
	}
}

/* Whole powers of ten, or from 0 on; never empty. */
static void round_off(struct axis *axis)
{
	axis->low = axis->logarithmic ? floor(axis->low) : fmin(axis->low, 0);
	if (axis->logarithmic)
		axis->high = ceil(axis->high);
	if (axis->high <= axis->low)
		axis->high = axis->low + 1;
}

static double place(const struct axis *axis, double scaled)
{
	return axis->start + axis->length * (scaled - axis->low) / (axis->high - axis->low);
}

static void find_axes(const struct plot *plot, struct axis *x, struct axis *y)
{
	*x = (struct axis){INFINITY, -INFINITY, LEFT, WIDTH - LEFT - RIGHT, plot->logarithmic};
	*y = (struct axis){INFINITY, -INFINITY, HEIGHT - BOTTOM, TOP + BOTTOM - HEIGHT,
			   plot->logarithmic};
	for (size_t i = 0; i < plot->line_count; i++) {
		widen(x, plot->lines[i].x, plot->lines[i].count);
		widen(y, plot->lines[i].y, plot->lines[i].count);
	}
	round_off(x);
	round_off(y);
}

static void write_text(FILE *file, double x, double y, const char *anchor, const char *text)
{
	fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor,
		text);
}

/* Grid and numbers: at each power of ten, or at fifths of the whole. */
static void write_ticks(FILE *file, const struct axis *axis, bool across)
{
	int count = axis->logarithmic ? (int)lround(axis->high - axis->low) : TICKS;

	for (int i = 0; i <= count; i++) {
		double at = axis->low + (axis->high - axis->low) * i / count;
		double pixel = place(axis, at);
		char text[32];

		snprintf(text, sizeof(text), "%g", axis->logarithmic ? pow(10, at) : at);
		if (across) {
			fprintf(file, "<path d=\"M%.1f %dV%d\" stroke=\"#ddd\"/>\n", pixel, TOP,
				HEIGHT - BOTTOM);
			write_text(file, pixel, HEIGHT - BOTTOM + 18, "middle", text);
		} else {
			fprintf(file, "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/>\n", LEFT, pixel,
				WIDTH - RIGHT);
			write_text(file, LEFT - 6, pixel + 4, "end", text);
		}
	}
}

static void write_line(FILE *file, const struct plot_line *line, size_t number,
		       const struct axis *x, const struct axis *y)
{
	double label = TOP + 16 + 18 * (double)number;

	fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
		colours[number]);
	for (size_t i = 0; i < line->count; i++)
		fprintf(file, "%.1f,%.1f ", place(x, scale(x, line->x[i])),
			place(y, scale(y, line->y[i])));
	fprintf(file, "\"/>\n<path d=\"M%d %.1fh16\" stroke=\"%s\" stroke-width=\"2\"/>\n",
		WIDTH - RIGHT + 10, label - 4, colours[number]);
	write_text(file, WIDTH - RIGHT + 32, label, "start", line->name);
}

static void write_plot(FILE *file, const struct plot *plot)
{
	struct axis x, y;

	find_axes(plot, &x, &y);
	fprintf(file,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		WIDTH, HEIGHT);
	write_text(file, LEFT, 24, "start", plot->title);
	write_text(file, LEFT + x.length / 2.0, HEIGHT - 16, "middle", plot->x_label);
	fprintf(file, "<g transform=\"rotate(-90 20 %d)\">", HEIGHT / 2);
	write_text(file, 20, HEIGHT / 2.0, "middle", plot->y_label);
	fprintf(file, "</g>\n");
	write_ticks(file, &x, true);
	write_ticks(file, &y, false);
	for (size_t i = 0; i < plot->line_count; i++)
		write_line(file, &plot->lines[i], i, &x, &y);
	fprintf(file, "</svg>\n");
}

void plot_write(const struct plot *plot, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/bench/%s.svg", vg_build_folder(), name) < 0)
		bench_die("out of memory for a plot");
	_cleanup_fclose_ FILE *file = fopen(path, "we");
	if (!file)
		bench_die("cannot write %s", path);
	write_plot(file, plot);
	printf("plot: %s\n", path);
}
