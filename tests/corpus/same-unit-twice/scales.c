/* SPDX-License-Identifier: MIT */
#define SCALE low_scale
#define FACTOR 1
#include "scale.h"
#undef SCALE
#undef FACTOR
#define SCALE high_scale
#define FACTOR 50
#include "scale.h"
