/* SPDX-License-Identifier: MIT */
/*
 * A header of QEMU's is included by hundreds of units; a fix that adds a member to a struct, or a
 * prototype, changes the code of a few.
 *
 *   1. Both texts are cut into tokens, and these into declarations at file scope.
 *   2. What only one of the texts has is changed. The names that it declares are tainted: tags,
 *      typedef names, enumerators, functions, variables.
 *   3. A declaration that mentions a tainted name and makes no code or data (a type, a prototype,
 *      an inline function) taints what it declares in turn.
 *   4. One that makes code or data and is changed, or mentions a tainted name: not alike.
 *
 * Members need no names of their own here: to get at one, an expression needs something whose
 * declaration mentions the type. What is not understood counts as making code.
 */
#include "differ/declarations.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_words.h"

struct token {
	const char *text;
	uint32_t length;
	uint64_t hash;
};

struct declaration {
	size_t first, end; /* tokens */
	uint64_t hash;
	bool has_body;	/* ends in the brace of a function's body */
	bool is_common; /* the other text has it too */
	bool is_tainted;
};

struct text {
	struct token *tokens;
	size_t token_count, token_room;
	struct declaration *declarations;
	size_t count, room;
};

/* Hashes of names, open addressing; 0 is free. */
struct names {
	uint64_t *at;
	size_t capacity, count;
};

static uint64_t hash_bytes(const char *bytes, size_t count, uint64_t hash)
{
	for (size_t i = 0; i < count; i++)
		hash = (hash ^ (uint8_t)bytes[i]) * 1099511628211u; /* FNV-1a */
	return hash;
}

static void *grow(void *array, size_t count, size_t *room, size_t size)
{
	void *grown;

	if (count < *room)
		return array;
	grown = reallocarray(array, *room ? *room * 2 : 4096, size);
	if (grown)
		*room = *room ? *room * 2 : 4096;
	return grown;
}

static void clear_text(struct text *text)
{
	free(text->tokens);
	free(text->declarations);
}

static bool is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '_';
}

/* Of the token at `at`; a string or character with its quotes. */
static size_t token_length(const char *at, const char *end)
{
	const char *start = at;
	char quote = *at;

	if (quote == '"' || quote == '\'') {
		for (at++; at < end && *at != quote; at++)
			at += *at == '\\' && at + 1 < end;
		return (size_t)(at - start) + (at < end);
	}
	while (at < end && (vg_is_word_character(*at) || (at > start && *at == '.')))
		at++;
	if (at > start && is_name_start(*start) && memchr(start, '.', (size_t)(at - start)))
		return (size_t)((const char *)memchr(start, '.', (size_t)(at - start)) - start);
	return at > start ? (size_t)(at - start) : 1;
}

/* A line marker is not part of the text, a pragma is. */
static bool is_line_marker(const char *at, const char *end)
{
	at++;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at < end &&
	       (isdigit((unsigned char)*at) || (end - at > 4 && !memcmp(at, "line", 4)));
}

static struct vg_error *add_token(struct text *text, const char *at, size_t length)
{
	struct token *tokens =
		grow(text->tokens, text->token_count, &text->token_room, sizeof(*tokens));

	if (!tokens)
		return vg_error_no_memory();
	text->tokens = tokens;
	tokens[text->token_count++] = (struct token){
		.text = at,
		.length = (uint32_t)length,
		.hash = hash_bytes(at, length, 14695981039346656037u),
	};
	return NULL;
}

static struct vg_error *read_tokens(struct text *text, const char *at, const char *end)
{
	bool at_line_start = true;

	while (at < end) {
		if (*at == '\n' || isspace((unsigned char)*at)) {
			at_line_start |= *at == '\n';
			at++;
			continue;
		}
		if (at_line_start && *at == '#' && is_line_marker(at, end)) {
			at = memchr(at, '\n', (size_t)(end - at)) ?: end;
			continue;
		}
		at_line_start = false;

		size_t length = token_length(at, end);

		VG_TRY(add_token(text, at, length));
		at += length;
	}
	return NULL;
}

static bool is(const struct token *token, const char *word)
{
	return token->length == strlen(word) && !memcmp(token->text, word, token->length);
}

static bool is_name(const struct token *token)
{
	return is_name_start(token->text[0]);
}

static int depth_change(const struct token *token)
{
	if (token->length != 1)
		return 0;
	return strchr("({[", token->text[0]) ? 1 : strchr(")}]", token->text[0]) ? -1 : 0;
}

static struct vg_error *add_declaration(struct text *text, size_t first, size_t end, bool has_body)
{
	struct declaration *grown =
		grow(text->declarations, text->count, &text->room, sizeof(*grown));
	uint64_t hash = 14695981039346656037u;

	if (!grown)
		return vg_error_no_memory();
	text->declarations = grown;
	for (size_t i = first; i < end; i++)
		hash = hash_bytes((const char *)&text->tokens[i].hash, sizeof(uint64_t), hash);
	grown[text->count++] = (struct declaration){
		.first = first, .end = end, .hash = hash ?: 1, .has_body = has_body};
	return NULL;
}

/* Step 1. A brace behind a parenthesis begins a function's body. */
static struct vg_error *cut(struct text *text)
{
	size_t first = 0;
	bool has_body = false;
	int depth = 0;

	for (size_t i = 0; i < text->token_count; i++) {
		const struct token *token = &text->tokens[i];

		if (!depth && is(token, "{") && i > first && is(&text->tokens[i - 1], ")"))
			has_body = true;
		depth += depth_change(token);
		if (depth || (!is(token, ";") && !(has_body && is(token, "}"))))
			continue;
		VG_TRY(add_declaration(text, first, i + 1, has_body));
		first = i + 1;
		has_body = false;
	}
	return first < text->token_count ? add_declaration(text, first, text->token_count, true)
					 : NULL;
}

static struct vg_error *add_hash(struct names *names, uint64_t hash, bool *is_new)
{
	size_t at;

	if (names->count * 2 >= names->capacity) {
		struct names larger = {.capacity = names->capacity ? names->capacity * 2 : 1024};
		bool ignored;

		larger.at = calloc(larger.capacity, sizeof(*larger.at));
		if (!larger.at)
			return vg_error_no_memory();
		for (size_t i = 0; i < names->capacity; i++)
			if (names->at[i])
				VG_TRY(add_hash(&larger, names->at[i], &ignored));
		free(names->at);
		*names = larger;
	}
	for (at = hash % names->capacity; names->at[at]; at = (at + 1) % names->capacity)
		if (names->at[at] == hash) {
			*is_new = false;
			return NULL;
		}
	names->at[at] = hash;
	names->count++;
	*is_new = true;
	return NULL;
}

static bool has_hash(const struct names *names, uint64_t hash)
{
	if (!names->capacity)
		return false;
	for (size_t at = hash % names->capacity; names->at[at]; at = (at + 1) % names->capacity)
		if (names->at[at] == hash)
			return true;
	return false;
}

/* Step 2. */
static struct vg_error *mark_common(struct text *text, const struct text *other)
{
	struct names known = {0};
	struct vg_error *error = NULL;
	bool is_new;

	for (size_t i = 0; !error && i < other->count; i++)
		error = add_hash(&known, other->declarations[i].hash, &is_new);
	for (size_t i = 0; !error && i < text->count; i++)
		text->declarations[i].is_common = has_hash(&known, text->declarations[i].hash);
	free(known.at);
	return error;
}

/* Behind the group that begins at `i`. */
static size_t skip_group(const struct text *text, size_t i, size_t end)
{
	int depth = 0;

	for (; i < end; i++) {
		depth += depth_change(&text->tokens[i]);
		if (!depth)
			return i + 1;
	}
	return end;
}

static bool is_annotation(const struct token *token)
{
	return is(token, "__attribute__") || is(token, "__asm__") || is(token, "asm") ||
	       is(token, "_Alignas") || is(token, "__extension__");
}

/* What stands at file scope of a declaration, annotations and braces left out. */
struct outline {
	const struct token *last;   /* name, before a bracket or the end */
	const struct token *called; /* name before the first parenthesis */
	bool is_typedef, is_extern, is_inline, has_braces, has_value, is_strange;
	bool is_pointer;  /* to a function: (* behind that name */
	bool is_declared; /* a name stands behind the braces */
};

static void outline_word(const struct token *token, struct outline *outline)
{
	outline->is_typedef |= is(token, "typedef");
	outline->is_extern |= is(token, "extern");
	outline->is_inline |=
		is(token, "inline") || is(token, "__inline") || is(token, "__inline__");
	outline->is_strange |=
		is(token, "typeof") || is(token, "__typeof__") || is(token, "__typeof");
	outline->has_value |= is(token, "=");
	if (!is_name(token) || is(token, "struct") || is(token, "union") || is(token, "enum"))
		return;
	outline->last = token;
	outline->is_declared |= outline->has_braces;
}

static void draw_outline(const struct text *text, const struct declaration *declaration,
			 struct outline *outline)
{
	/* The body of a definition in the old style, behind the parameters that end in ';'. */
	outline->is_strange = is(&text->tokens[declaration->first], "{");
	for (size_t i = declaration->first; i < declaration->end;) {
		const struct token *token = &text->tokens[i];

		if (is_annotation(token)) {
			i++;
			if (i < declaration->end && is(&text->tokens[i], "("))
				i = skip_group(text, i, declaration->end);
			continue;
		}
		if (is(token, "(") && !outline->called) {
			outline->called = outline->last;
			outline->is_pointer = is(&text->tokens[i + 1], "*");
		}
		outline->is_strange |= is(token, "(") && !outline->last;
		outline->has_braces |= is(token, "{");
		/* a second declarator would be a second name */
		outline->is_strange |= is(token, ",") || is(token, "#");
		if (depth_change(token) > 0) {
			i = skip_group(text, i, declaration->end);
			continue;
		}
		outline_word(token, outline);
		i++;
	}
}

/* Types, prototypes, inline functions. */
static bool makes_nothing(const struct declaration *declaration, const struct outline *outline)
{
	if (outline->is_strange)
		return false;
	if (declaration->has_body)
		return outline->is_inline && !outline->is_extern && outline->called;
	if (outline->is_typedef)
		return true;
	if (outline->has_value)
		return false;
	if (outline->is_extern)
		return true;
	return outline->called ? !outline->is_pointer
			       : outline->has_braces && !outline->is_declared;
}

/* struct T { ... }: T; enum { A, B }: A and B, wherever in the declaration they stand. */
static struct vg_error *taint_tags(const struct text *text, const struct declaration *declaration,
				   struct names *tainted, bool *is_new)
{
	const struct token *tokens = text->tokens;
	bool fresh;

	for (size_t i = declaration->first; i + 1 < declaration->end; i++) {
		bool is_enum = is(&tokens[i], "enum");

		if (!is_enum && !is(&tokens[i], "struct") && !is(&tokens[i], "union"))
			continue;

		size_t at = i + 1;

		while (at < declaration->end && is_annotation(&tokens[at]))
			at = skip_group(text, at + 1, declaration->end);

		size_t brace = at + (at < declaration->end && is_name(&tokens[at]));

		if (brace >= declaration->end || !is(&tokens[brace], "{"))
			continue;

		size_t end = is_enum ? skip_group(text, brace, declaration->end) : brace;

		for (; at < end; at++)
			if (is_name(&tokens[at])) {
				VG_TRY(add_hash(tainted, tokens[at].hash, &fresh));
				*is_new |= fresh;
			}
	}
	return NULL;
}

/* typedef int (*name)(int): the name is in the first group. */
static struct vg_error *taint_group(const struct text *text, const struct declaration *declaration,
				    struct names *tainted, bool *is_new)
{
	bool fresh;

	for (size_t i = declaration->first; i + 2 < declaration->end; i++) {
		if (!is(&text->tokens[i], "(") || !is(&text->tokens[i + 1], "*") ||
		    !is_name(&text->tokens[i + 2]))
			continue;
		VG_TRY(add_hash(tainted, text->tokens[i + 2].hash, &fresh));
		*is_new |= fresh;
	}
	return NULL;
}

static struct vg_error *taint(const struct text *text, const struct declaration *declaration,
			      const struct outline *outline, struct names *tainted, bool *is_new)
{
	/* what a body says stays in it */
	const struct token *name = declaration->has_body ? outline->called : outline->last;
	bool fresh = false;

	if (outline->called)
		VG_TRY(add_hash(tainted, outline->called->hash, &fresh));
	*is_new |= fresh;
	if (name && !(outline->called && declaration->has_body)) {
		VG_TRY(add_hash(tainted, name->hash, &fresh));
		*is_new |= fresh;
	}
	if (declaration->has_body)
		return NULL;
	VG_TRY(taint_tags(text, declaration, tainted, is_new));
	return outline->called ? taint_group(text, declaration, tainted, is_new) : NULL;
}

static bool mentions(const struct text *text, const struct declaration *declaration,
		     const struct names *tainted)
{
	for (size_t i = declaration->first; i < declaration->end; i++)
		if (is_name(&text->tokens[i]) && has_hash(tainted, text->tokens[i].hash))
			return true;
	return false;
}

/* Steps 3 and 4, once through the text. */
static struct vg_error *spread(struct text *text, struct names *tainted, bool *alike, bool *is_new)
{
	for (size_t i = 0; i < text->count && *alike; i++) {
		struct declaration *declaration = &text->declarations[i];
		struct outline outline = {0};

		if (declaration->is_tainted ||
		    (declaration->is_common && !mentions(text, declaration, tainted)))
			continue;
		declaration->is_tainted = true;
		draw_outline(text, declaration, &outline);
		*alike = makes_nothing(declaration, &outline);
		if (*alike)
			VG_TRY(taint(text, declaration, &outline, tainted, is_new));
	}
	return NULL;
}

static struct vg_error *compare(struct text *pre, struct text *post, bool *alike)
{
	struct names tainted = {0};
	struct vg_error *error = mark_common(pre, post);
	bool is_new = true;

	if (!error)
		error = mark_common(post, pre);
	*alike = true;
	while (!error && *alike && is_new) {
		is_new = false;
		error = spread(pre, &tainted, alike, &is_new);
		if (!error)
			error = spread(post, &tainted, alike, &is_new);
	}
	free(tainted.at);
	return error;
}

struct vg_error *vg_declarations_alike(const char *pre, size_t pre_size, const char *post,
				       size_t post_size, bool *alike)
{
	struct text before = {0}, after = {0};
	struct vg_error *error = read_tokens(&before, pre, pre + pre_size);

	*alike = false;
	if (!error)
		error = read_tokens(&after, post, post + post_size);
	if (!error)
		error = cut(&before);
	if (!error)
		error = cut(&after);
	if (!error)
		error = compare(&before, &after, alike);
	clear_text(&before);
	clear_text(&after);
	return error;
}
