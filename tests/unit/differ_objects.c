/* SPDX-License-Identifier: MIT */
/* Reading objects and targets: instruction comparison, twins, and files that lie. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/text_file.h"
#include "differ/build.h"
#include "differ/correlate.h"
#include "differ/instruction_compare.h"
#include "differ/type_table.h"
#include "tests/lib/differ_case.h"
#include "tests/lib/suite.h"

static struct vg_arena arena;
static struct vg_decoder *decoder;

static struct vg_object *compile(const char *source, const char *flags)
{
	char path[] = "/tmp/vgraft-object-XXXXXX", command[256];
	int fd = mkstemp(path);
	struct vg_object *object;

	ck_assert_int_ge(fd, 0);
	close(fd);
	snprintf(command, sizeof(command),
		 "gcc %s -ffunction-sections -fdata-sections -x c -c - -o %s", flags, path);

	FILE *pipe = popen(command, "w");

	fputs(source, pipe);
	ck_assert_int_eq(pclose(pipe), 0);

	struct vg_error *error = vg_object_read(&arena, path, "test.c", &object);

	ck_assert_msg(!error, "%s", vg_error_text(error));
	unlink(path);
	return object;
}

struct comparison {
	struct vg_object *pre, *post;
};

static struct comparison compare_objects(const char *pre, const char *post, const char *flags)
{
	struct comparison c = {compile(pre, flags), compile(post, flags)};

	ck_assert_ptr_null(vg_correlate(decoder, c.pre, c.post));
	return c;
}

static bool is_same(const struct comparison *c, const char *name)
{
	struct vg_item *post = vg_object_item_named(c->post, name);
	struct vg_difference difference;
	bool same = false;

	ck_assert_ptr_nonnull(post);
	ck_assert_ptr_nonnull(post->twin);
	ck_assert_ptr_null(vg_same_code(decoder, post->twin, post, &same, &difference));
	return same;
}

static void clear(struct comparison *c)
{
	vg_object_close(c->pre);
	vg_object_close(c->post);
}

/* `f` before and after; equal or not. */
static const struct {
	const char *promise, *pre, *post, *flags;
	bool same;
} comparisons[] = {
	{"renumbered strings", "int puts(const char*); int f(void){return puts(\"one\");}",
	 "int puts(const char*); int g(void){return puts(\"zero\");} int f(void){return "
	 "puts(\"one\");}",
	 "-O2 -fPIE", true},
	{"another string", "int puts(const char*); int f(void){return puts(\"one\");}",
	 "int puts(const char*); int f(void){return puts(\"onf\");}", "-O2 -fPIE", false},
	{"another string at -O0, not PIC",
	 "int puts(const char*); int f(void){return puts(\"one\");}",
	 "int puts(const char*); int f(void){return puts(\"onf\");}", "-O0 -fno-pie", false},
	{"the tail of a longer string", "int puts(const char*); int f(void){return puts(\"one\");}",
	 "int puts(const char*); char *s = \"xone\"; int f(void){return puts(\"one\");}",
	 "-O2 -fno-pie", true},
	{"another constant", "double f(double x){return x*3.5;}",
	 "double f(double x){return x*3.25;}", "-O2", false},
	{"the same constant at another place", "double f(double x){return x*3.5;}",
	 "double g(double x){return x*9.5+1.125;} double f(double x){return x*3.5;}", "-O2", true},
	{"another immediate", "int f(int x){return x+3;}", "int f(int x){return x+4;}", "-O2",
	 false},
	{"another callee", "int a(int); int b(int); int f(int x){return a(x)+1;}",
	 "int a(int); int b(int); int f(int x){return b(x)+1;}", "-O2", false},
	{"another variable", "int a,b; int f(void){return a;}", "int a,b; int f(void){return b;}",
	 "-O2", false},
	{"another offset in a variable", "int a[4]; int f(void){return a[1];}",
	 "int a[4]; int f(void){return a[2];}", "-O2", false},
	{"variables in another order", "int a,b; int f(void){return a;}",
	 "int b,a; int f(void){return a;}", "-O2", true},
	{"a shifted switch table",
	 "int g; int f(int x){switch(x){case 0:return g;case 1:g++;return 3;case 2:g--;return "
	 "9;case "
	 "3:return g*2;case 4:return g^7;case 5:g=1;} return x;}",
	 "int g; int h(int x){switch(x){case 0:return g+1;case 1:g++;return 4;case 2:g--;return "
	 "8;case "
	 "3:return g*3;case 4:return g^9;case 5:g=2;} return x;}"
	 "int f(int x){switch(x){case 0:return g;case 1:g++;return 3;case 2:g--;return 9;case "
	 "3:return g*2;case 4:return g^7;case 5:g=1;} return x;}",
	 "-O2 -fPIE", true},
	{"two labels of a switch table exchanged",
	 "int g; int f(int x){switch(x){case 0:return g;case 1:g++;return 3;case 2:g--;return "
	 "9;case "
	 "3:return g*2;case 4:return g^7;case 5:g=1;} return x;}",
	 "int g; int f(int x){switch(x){case 0:return g;case 2:g++;return 3;case 1:g--;return "
	 "9;case "
	 "3:return g*2;case 4:return g^7;case 5:g=1;} return x;}",
	 "-O2 -fPIE", false},
	{"the same table of a constant array, another elsewhere",
	 "static const int t[6]={1,2,3,4,5,6}; int f(int x){return t[x];}",
	 "static const int u[6]={7,2,3,4,5,6}; int g(int x){return u[x];} static const int "
	 "t[6]={1,2,3,4,5,6}; int f(int x){return t[x];}",
	 "-O2", true},
	{"another value in a constant array",
	 "static const int t[6]={1,2,3,4,5,6}; int f(int x){return t[x];}",
	 "static const int t[6]={1,2,3,4,5,7}; int f(int x){return t[x];}", "-O2", false},
	{"an initialiser of a local array",
	 "int g(int*); int f(void){int a[9]={5,1,7,2,8,3,9,4,1}; return g(a);}",
	 "int g(int*); int f(void){int a[9]={5,1,7,2,8,3,9,4,2}; return g(a);}", "-O2", false},
	{"renumbered static locals", "int f(void){static int n; return n++;}",
	 "int g(void){static int n; return n--;} int f(void){static int n; return n++;}", "-O2",
	 true},
	{"a condition turned round", "int g(void); int f(int x){if(x>3)return g();return x;}",
	 "int g(void); int f(int x){if(x<=3)return g();return x;}", "-O1", false},
	{"loop alignment",
	 "int g(int); int f(int x){int s=0;for(int i=0;i<x;i++)s+=g(i);return s;}",
	 "int g(int); __attribute__((aligned(64))) int f(int x){int "
	 "s=0;for(int i=0;i<x;i++)s+=g(i);return s;}",
	 "-O2", true},
};
#define COMPARISONS ((int)(sizeof(comparisons) / sizeof(*comparisons)))

START_TEST(code_is_the_same_when_the_program_cannot_tell)
{
	struct comparison c =
		compare_objects(comparisons[_i].pre, comparisons[_i].post, comparisons[_i].flags);

	ck_assert_msg(is_same(&c, "f") == comparisons[_i].same, "%s", comparisons[_i].promise);
	clear(&c);
}
END_TEST

START_TEST(what_the_compiler_numbered_finds_its_twin_by_scope)
{
	struct comparison c = compare_objects(
		"int f(void){static int n=1; return n++;} int g(void){static int n=2; return n--;}",
		"int h(void){static int n=3; return n+=2;} int f(void){static int n=1; return n++;}"
		"int g(void){static int n=2; return n--;}",
		"-O2");
	unsigned twins = 0, alone = 0;

	for (size_t i = 0; i < c.post->item_count; i++) {
		const struct vg_item *item = c.post->items[i];

		if (item->kind != VG_ITEM_VARIABLE)
			continue;
		ck_assert_str_eq(item->base, "n");
		twins += item->twin && !memcmp(vg_item_bytes(item), vg_item_bytes(item->twin), 4);
		alone += !item->twin;
		ck_assert(!item->ambiguous);
	}
	ck_assert_uint_eq(twins, 2);
	ck_assert_uint_eq(alone, 1);
	clear(&c);
}
END_TEST

START_TEST(statics_that_cannot_be_told_apart_are_ambiguous)
{
	struct comparison c = compare_objects(
		"int f(int x){ if (x) {static int n; return n++;} static int n; return n--; }",
		"int f(int x){ if (x) {static int n; return n++;} {static int n; x += n--;} static "
		"int n; "
		"return n-=x; }",
		"-O2");
	unsigned ambiguous = 0;

	for (size_t i = 0; i < c.post->item_count; i++)
		ambiguous += c.post->items[i]->ambiguous;
	ck_assert_uint_ge(ambiguous, 1);
	clear(&c);
}
END_TEST

/* Damaged files ---------------------------------------------------------------------------- */

static void write_bytes(const char *path, const char *bytes, size_t count)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
	fclose(file);
}

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Changes a few bytes, or cuts the end off. */
static size_t damage(char *bytes, size_t count, uint32_t seed)
{
	uint32_t state = seed * 2654435761u + 1;

	if (seed % 8 == 0)
		return next_random(&state) % count;
	for (unsigned i = 0; i < 1 + seed % 6; i++)
		bytes[next_random(&state) % count] = (char)next_random(&state);
	/* Headers decide most: damage the section table of every other file too. */
	if (seed % 2)
		bytes[count - 1 - next_random(&state) % (count < 2048 ? count : 2048)] ^=
			(char)(1 + next_random(&state) % 255);
	return count;
}

static const struct differ_case small_case = {
	.pre = "#include <stdio.h>\nstatic int n; __thread int t;\n"
	       "__attribute__((noinline)) int f(int x){ switch(x){case 0: return n++; case 1: "
	       "return 7; "
	       "case 2: return t; case 3: puts(\"s\"); case 4: return x*3; case 5: n=2;} return 1; "
	       "}\n"
	       "int main(void){ return f(1); }\n",
	.post = "#include <stdio.h>\nstatic int n; __thread int t;\n"
		"__attribute__((noinline)) int f(int x){ switch(x){case 0: return n++; case 1: "
		"return 8; "
		"case 2: return t; case 3: puts(\"s2\"); case 4: return x*3; case 5: n=2;} return "
		"1; }\n"
		"int main(void){ return f(1); }\n",
};

static void build_damaged(struct differ_case *test, const char *victim, const char *whole,
			  size_t count, uint32_t seed)
{
	char *bytes = malloc(count);

	memcpy(bytes, whole, count);
	write_bytes(victim, bytes, damage(bytes, count, seed));
	free(bytes);
	vg_error_free(test->error);
	vg_build_result_clear(&test->result);
	differ_case_build(test);
	/* Built from what still reads the same, or refused; the point is to be here. */
	ck_assert(test->error || test->result.outcome == VG_BUILT ||
		  test->result.outcome == VG_UNCHANGED);
}

static const char *const victims[] = {"main.pre.o", "main.post.o", "main.plain.o", "target"};

START_TEST(a_damaged_file_is_refused_and_harms_nobody)
{
	struct differ_case test = small_case;
	char path[128], *whole = NULL;
	size_t count;
	const char *runs = getenv("DIFFER_DAMAGE");

	differ_case_run(&test);
	ck_assert_msg(!test.error, "%s", vg_error_text(test.error));
	snprintf(path, sizeof(path), "%s/%s", test.directory, victims[_i]);
	ck_assert_ptr_null(vg_text_file_read(path, &whole, &count));
	for (uint32_t seed = 0; seed < (runs ? (uint32_t)atoi(runs) : 150); seed++)
		build_damaged(&test, path, whole, count, seed);
	free(whole);
	differ_case_clear(&test);
}
END_TEST

static void set_up(void)
{
	ck_assert_ptr_null(vg_decoder_open(&decoder));
}

static void tear_down(void)
{
	vg_decoder_close(decoder);
	vg_arena_clear(&arena);
}

int main(void)
{
	Suite *suite = suite_create("differ_objects");
	TCase *tcase = tcase_create("objects");

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, code_is_the_same_when_the_program_cannot_tell, 0, COMPARISONS);
	tcase_add_test(tcase, what_the_compiler_numbered_finds_its_twin_by_scope);
	tcase_add_test(tcase, statics_that_cannot_be_told_apart_are_ambiguous);
	tcase_add_loop_test(tcase, a_damaged_file_is_refused_and_harms_nobody, 0,
			    (int)(sizeof(victims) / sizeof(*victims)));
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
