/* SPDX-License-Identifier: MIT */
/*
 * Line numbers of a patched file. assert(), error reporting and debug information carry __LINE__;
 * a line inserted at the top of a file would make every function below it look changed. So each
 * unchanged line whose number drifted gets a `#line` directive in front of it:
 *
 *   1. Walk over the patched lines with the number that the compiler will believe in.
 *   2. An original line that would get another number than it had, and in front of which a
 *      directive is allowed, gets `#line N` (no file name: the compiler keeps the one it has).
 *   3. A directive is not allowed inside a block comment, behind a continued line, inside a raw
 *      string, or between the parentheses of what may be a macro call (C17 6.10.3p11 makes it
 *      undefined there). Then the next line is tried.
 *   4. A directive inside a conditional group that is skipped has no effect. So behind the #else,
 *      #elif or #endif of a group with drift the number is said once more.
 *
 * Only tokens that matter for 3. are recognised; text that is not C merely leads to fewer
 * directives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/source_tree_text.h"

#define MAX_NESTING 256
#define MAX_RAW	    16 /* longest delimiter of a raw string, C++11 [lex.string] */

struct scanner {
	bool in_comment;
	bool in_line_comment;	    /* goes on over a continued line */
	bool continued;		    /* the line before ended in a backslash */
	bool in_directive;	    /* and it was a preprocessor directive */
	char quote;		    /* a string that goes on over a continued line */
	char raw_end[MAX_RAW + 3];  /* ")delimiter\"" of an open raw string, or "" */
	int parentheses;	    /* depth outside of directives */
	int nesting;		    /* of #if */
	int saved[MAX_NESTING];	    /* depth of parentheses at the #if */
	bool drifted[MAX_NESTING];  /* numbers were changed inside this group */
	bool group_closed_on_drift; /* say the number again, see 4. */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* gcc takes blanks between the backslash and the newline for a continuation too. */
static bool is_continued(const struct vg_line *line)
{
	size_t end = line->length;

	while (end && is_blank(line->text[end - 1]))
		end--;
	return end && line->text[end - 1] == '\\';
}

static bool can_take_directive(const struct scanner *scanner)
{
	return !scanner->in_comment && !scanner->continued && !scanner->quote &&
	       !scanner->raw_end[0] && !scanner->parentheses;
}

static bool has_word(const char *at, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - at) >= length && !memcmp(at, word, length);
}

static void open_group(struct scanner *scanner)
{
	if (scanner->nesting < MAX_NESTING) {
		scanner->saved[scanner->nesting] = scanner->parentheses;
		scanner->drifted[scanner->nesting] = false;
	}
	scanner->nesting++;
}

/*
 * `#if A / foo( / #else / bar( / #endif` opens one parenthesis, not two: each branch starts with
 * the depth at its #if. The depth behind #endif is that of the last branch.
 */
static void next_group(struct scanner *scanner)
{
	int top = scanner->nesting - 1;

	if (top < 0 || top >= MAX_NESTING)
		return;
	scanner->parentheses = scanner->saved[top];
	scanner->group_closed_on_drift |= scanner->drifted[top];
}

static void close_group(struct scanner *scanner)
{
	int top = scanner->nesting - 1;

	if (top < 0)
		return;
	if (top < MAX_NESTING && scanner->drifted[top]) {
		scanner->group_closed_on_drift = true;
		if (top > 0)
			scanner->drifted[top - 1] = true;
	}
	scanner->nesting--;
}

static void mark_drift(struct scanner *scanner)
{
	int top = scanner->nesting - 1;

	if (top >= 0 && top < MAX_NESTING)
		scanner->drifted[top] = true;
}

static void scan_directive(struct scanner *scanner, const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	if (has_word(at, end, "if"))
		open_group(scanner);
	else if (has_word(at, end, "el"))
		next_group(scanner);
	else if (has_word(at, end, "endif"))
		close_group(scanner);
}

static const char *skip_comment(struct scanner *scanner, const char *at, const char *end)
{
	const char *close = memmem(at, end - at, "*/", 2);

	scanner->in_comment = !close;
	return close ? close + 2 : end;
}

static const char *skip_raw(struct scanner *scanner, const char *at, const char *end)
{
	size_t length = strlen(scanner->raw_end);
	const char *close = memmem(at, end - at, scanner->raw_end, length);

	if (!close)
		return end;
	scanner->raw_end[0] = '\0';
	return close + length;
}

/* A string or character constant; it ends with the line unless the line is continued. */
static const char *skip_quoted(struct scanner *scanner, const char *at, const char *end)
{
	for (; at < end; at++) {
		if (*at == '\\') {
			at++;
		} else if (*at == scanner->quote) {
			scanner->quote = '\0';
			return at + 1;
		}
	}
	return end;
}

static bool is_word_char(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* The quote at `at` opens R"delimiter( … )delimiter"; u8R, uR, UR and LR count too. */
static bool is_raw_string(const char *start, const char *at)
{
	const char *prefix = at - 1;

	if (prefix < start || *prefix != 'R')
		return false;
	if (prefix > start && prefix[-1] == '8')
		prefix--;
	if (prefix > start && strchr("uUL", prefix[-1]))
		prefix--;
	return prefix == start || !is_word_char(prefix[-1]);
}

static const char *open_raw(struct scanner *scanner, const char *at, const char *end)
{
	const char *open = memchr(at, '(', end - at);
	size_t length = open ? (size_t)(open - at) : MAX_RAW + 1;

	if (length > MAX_RAW)
		return at;
	snprintf(scanner->raw_end, sizeof(scanner->raw_end), ")%.*s\"", (int)length, at);
	return open + 1;
}

static const char *open_quote(struct scanner *scanner, const char *start, const char *at,
			      const char *end)
{
	if (*at == '"' && is_raw_string(start, at)) {
		at = open_raw(scanner, at + 1, end);
		return scanner->raw_end[0] ? skip_raw(scanner, at, end) : at;
	}
	scanner->quote = *at;
	return skip_quoted(scanner, at + 1, end);
}

static void count_parenthesis(struct scanner *scanner, char c)
{
	if (scanner->in_directive)
		return;
	if (c == '(')
		scanner->parentheses++;
	else if (c == ')' && scanner->parentheses)
		scanner->parentheses--;
}

/* One step over code outside of comments and strings. */
static const char *scan_code(struct scanner *scanner, const char *start, const char *at,
			     const char *end)
{
	if (*at == '/' && at + 1 < end && at[1] == '*')
		return skip_comment(scanner, at + 2, end);
	if (*at == '/' && at + 1 < end && at[1] == '/') {
		scanner->in_line_comment = true;
		return end;
	}
	if (*at == '"' || *at == '\'')
		return open_quote(scanner, start, at, end);
	count_parenthesis(scanner, *at);
	return at + 1;
}

/* Unbalanced text (macros that open what others close) must not end re-synchronising for good. */
static bool is_end_of_function(const struct vg_line *line)
{
	size_t length = line->length;

	while (length && is_blank(line->text[length - 1]))
		length--;
	return length == 1 && line->text[0] == '}';
}

static void begin_line(struct scanner *scanner, const struct vg_line *line)
{
	const char *at = line->text, *end = at + line->length;

	if (scanner->continued)
		return;
	scanner->in_directive = false;
	scanner->in_line_comment = false;
	if (scanner->in_comment || scanner->raw_end[0])
		return;
	scanner->quote = '\0';
	if (is_end_of_function(line))
		scanner->parentheses = 0;
	while (at < end && is_blank(*at))
		at++;
	if (at < end && *at == '#') {
		scanner->in_directive = true;
		scan_directive(scanner, at + 1, end);
	}
}

static void scan_line(struct scanner *scanner, const struct vg_line *line)
{
	const char *at = line->text, *end = at + line->length;

	begin_line(scanner, line);
	while (at < end) {
		if (scanner->in_line_comment)
			at = end;
		else if (scanner->in_comment)
			at = skip_comment(scanner, at, end);
		else if (scanner->raw_end[0])
			at = skip_raw(scanner, at, end);
		else if (scanner->quote)
			at = skip_quoted(scanner, at, end);
		else
			at = scan_code(scanner, line->text, at, end);
	}
	scanner->continued = is_continued(line) && !scanner->raw_end[0];
	if (!scanner->continued && !scanner->raw_end[0])
		scanner->quote = '\0';
}

/*
 * A `#line N` or `# N` of the source itself, as generated parsers have them: the lines behind it
 * had N, N + 1, … before the diff, and shall have them again.
 */
static bool is_line_directive(const struct vg_line *line, unsigned *number)
{
	_cleanup_free_ char *text = strndup(line->text, line->length);

	return text && line->origin &&
	       (sscanf(text, " # line %u", number) == 1 || sscanf(text, " # %u", number) == 1);
}

static bool is_wanted(const struct scanner *scanner, unsigned wanted, unsigned number)
{
	return wanted && (wanted != number || scanner->group_closed_on_drift) &&
	       can_take_directive(scanner);
}

static void render_line(const struct vg_line *line, FILE *out)
{
	fwrite(line->text, 1, line->length, out);
	if (line->newline)
		fputc('\n', out);
}

static void render_lines(const struct vg_text *text, FILE *out)
{
	struct scanner scanner = {0};
	unsigned number = 1; /* what the compiler believes the next line to be */
	unsigned shift = 0;  /* by #line directives of the source itself; wraps around */
	unsigned said;

	for (size_t i = 0; i < text->count; i++) {
		const struct vg_line *line = &text->lines[i];
		unsigned wanted = line->origin ? line->origin + shift : 0;

		if (wanted != number)
			mark_drift(&scanner);
		if (is_wanted(&scanner, wanted, number)) {
			fprintf(out, "#line %u\n", wanted);
			number = wanted;
			scanner.group_closed_on_drift = false;
		}
		render_line(line, out);
		scan_line(&scanner, line);
		number++;
		if (scanner.in_directive && is_line_directive(line, &said)) {
			shift = said - line->origin - 1;
			number = said;
		}
	}
}

struct vg_error *vg_text_render_resynced(const struct vg_text *text, char **bytes, size_t *size)
{
	FILE *out = open_memstream(bytes, size);

	if (!out)
		return vg_error_no_memory();
	render_lines(text, out);
	if (ferror(out) | fclose(out)) {
		free(vg_take(*bytes));
		return vg_error_no_memory();
	}
	return NULL;
}
