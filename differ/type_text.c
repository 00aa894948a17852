/* SPDX-License-Identifier: MIT */
/*
 * DWARF tells the variables of a type, but not every place that makes an object of it: a cast
 * `(struct s *)memory` leaves no trace. So the preprocessed text is read, word by word, without
 * understanding more of C than needed: whatever looks unusual says no.
 */
#include <string.h>

#include "differ/type_uses.h"

struct token {
	const char *at;
	size_t length;
};

struct reader {
	const char *next;
	struct token token;  /* the current one; length 0: the end */
	struct token before; /* it */
	unsigned braces, parentheses;
	bool has_storage; /* static, extern, typedef since the statement began */
};

/* A variable in scope. */
struct scope {
	const char *variable;
	unsigned braces;
};

struct check {
	const struct vg_type *type;
	const struct vg_type_uses *uses;
	struct scope scopes[32];
	size_t scope_count;
};

static bool is_word_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool is_word_char(char c)
{
	return is_word_start(c) || (c >= '0' && c <= '9');
}

/* Behind white space and the preprocessor's line markers. */
static const char *skip_blank(const char *text, bool at_line_start)
{
	for (;; text++) {
		if (*text == '#' && at_line_start)
			text += strcspn(text, "\n");
		if (*text == '\n')
			at_line_start = true;
		else if (*text != ' ' && *text != '\t' && *text != '\r' && *text != '\f' &&
			 *text != '\v')
			return text;
	}
}

static const char *literal_end(const char *text)
{
	char quote = *text++;

	while (*text && *text != quote && *text != '\n')
		text += *text == '\\' && text[1] ? 2 : 1;
	return text + (*text == quote);
}

static size_t token_length(const char *at)
{
	size_t length = 0;

	if (!*at)
		return 0;
	if (*at == '"' || *at == '\'')
		return (size_t)(literal_end(at) - at);
	while (is_word_char(at[length]))
		length++;
	return length ? length : 1;
}

static bool is(const struct token *token, const char *word)
{
	return token->length == strlen(word) && !memcmp(token->at, word, token->length);
}

static bool is_storage(const struct token *token)
{
	static const char *const words[] = {"static",	"extern",	 "typedef",
					    "__thread", "_Thread_local", "thread_local"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (is(token, words[i]))
			return true;
	return false;
}

static void count_brackets(struct reader *reader)
{
	switch (*reader->token.at) {
	case '{':
		reader->braces++;
		break;
	case '}':
		reader->braces -= reader->braces > 0;
		break;
	case '(':
		reader->parentheses++;
		break;
	case ')':
		reader->parentheses -= reader->parentheses > 0;
		break;
	default:
		break;
	}
}

static bool advance(struct reader *reader)
{
	const char *at = skip_blank(reader->next, !reader->token.at);

	if (reader->token.length && strchr(";{}", *reader->token.at))
		reader->has_storage = false;
	reader->before = reader->token;
	reader->token = (struct token){at, token_length(at)};
	reader->next = at + reader->token.length;
	if (!reader->token.length)
		return false;
	count_brackets(reader);
	reader->has_storage |= is_storage(&reader->token);
	return true;
}

static struct token peek(const struct reader *reader)
{
	struct reader copy = *reader;

	advance(&copy);
	return copy.token;
}

/* From an opening bracket, the current token, to the one that closes it. */
static bool skip_brackets(struct reader *reader, const char *open, const char *close)
{
	unsigned depth = 1;

	while (depth && advance(reader)) {
		if (is(&reader->token, open))
			depth++;
		if (is(&reader->token, close))
			depth--;
	}
	return !depth;
}

static void skip_attributes(struct reader *reader)
{
	for (;;) {
		struct token next = peek(reader);

		if (!is(&next, "__attribute__") && !is(&next, "__attribute"))
			return;
		advance(reader);
		advance(reader);
		if (!skip_brackets(reader, "(", ")"))
			return;
	}
}

/* The definition ends in a semicolon: it declares nothing at the same time. */
static bool is_bare_definition(const struct reader *reader)
{
	struct reader copy = *reader;

	advance(&copy);
	if (copy.has_storage || !skip_brackets(&copy, "{", "}"))
		return false;
	skip_attributes(&copy);
	advance(&copy);
	return is(&copy.token, ";");
}

static const char *variable_named(const struct vg_type_uses *uses, const struct token *token)
{
	for (size_t i = 0; i < uses->variables.count; i++)
		if (is(token, uses->variables.at[i]))
			return uses->variables.at[i];
	return NULL;
}

/* Behind the type's name. */
static bool take_declaration(struct check *check, struct reader *reader)
{
	struct token next = peek(reader);
	const char *variable = variable_named(check->uses, &next);

	if (!variable || !reader->braces || reader->parentheses || reader->has_storage ||
	    check->scope_count == sizeof(check->scopes) / sizeof(*check->scopes))
		return false;
	advance(reader);
	check->scopes[check->scope_count++] =
		(struct scope){.variable = variable, .braces = reader->braces};
	next = peek(reader);
	/* One for each declaration; not a function. */
	while (is(&next, "[")) {
		advance(reader);
		skip_brackets(reader, "[", "]");
		next = peek(reader);
	}
	return is(&next, ";") || is(&next, "=");
}

/* `struct s`, `union s` */
static bool take_tag(struct check *check, struct reader *reader)
{
	struct token next;

	skip_attributes(reader);
	next = peek(reader);
	if (!is(&next, check->type->name))
		return true;
	advance(reader);
	next = peek(reader);
	if (is(&next, ";"))
		return true;
	return is(&next, "{") ? is_bare_definition(reader) : take_declaration(check, reader);
}

/* A name that a typedef gives: `typedef struct { … } s;` defines it. */
static bool take_typedef(struct check *check, struct reader *reader)
{
	struct token next = peek(reader);

	if (is(&reader->before, "}") && is(&next, ";"))
		return true;
	return take_declaration(check, reader);
}

static bool is_in_scope(struct check *check, const struct reader *reader)
{
	while (check->scope_count && check->scopes[check->scope_count - 1].braces > reader->braces)
		check->scope_count--;
	for (size_t i = 0; i < check->scope_count; i++)
		if (is(&reader->token, check->scopes[i].variable))
			return !is(&reader->before, ".") &&
			       !(is(&reader->before, ">") && reader->before.at[-1] == '-');
	return false;
}

/* `v.member`, `v[i].member`: not `&v`, `v = w`, `sizeof(v)`, which may carry the whole away. */
static bool take_use(struct reader *reader)
{
	struct reader copy = *reader;

	advance(&copy);
	while (is(&copy.token, "[")) {
		if (!skip_brackets(&copy, "[", "]"))
			return false;
		advance(&copy);
	}
	return is(&copy.token, ".");
}

static bool take_token(struct check *check, struct reader *reader)
{
	const char *kind = check->type->kind;

	if (is_in_scope(check, reader))
		return take_use(reader);
	if (!strcmp(kind, "typedef"))
		return !is(&reader->token, check->type->name) || take_typedef(check, reader);
	return !is(&reader->token, kind) || take_tag(check, reader);
}

bool vg_type_is_automatic(const char *text, const struct vg_type *type,
			  const struct vg_type_uses *uses)
{
	struct check check = {.type = type, .uses = uses};
	struct reader reader = {.next = text};

	while (advance(&reader))
		if (!take_token(&check, &reader))
			return false;
	return true;
}
