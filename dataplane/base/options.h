/* SPDX-License-Identifier: BSD-3-Clause */
/* Command lines as tables: one row an option gives parser, checks, defaults and help.
 *
 *   static const struct option_spec specs[] = {
 *           {.name = "rate", .arg = "RATE", .kind = OPTION_RATE, .fallback = "unlimited",
 *                   .offset = offsetof(struct pull, rate_bps), .help = "at most so
 * fast"},
 *           {.name = NULL},
 *   };
 *
 * The target struct holds a field of the kind's type at each offset. Defaults are parsed
 * from `fallback` by the same code as the user's text, so help and behaviour agree.
 * Strings point into argv. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "dataplane/base/fault.h"

enum { OPTION_LIST_MAX = 64 };

struct option_list {
	const char *items[OPTION_LIST_MAX];
	size_t count;
};

enum option_kind {
	OPTION_FLAG,       /* bool: --name */
	OPTION_SWITCH,     /* bool: --name true, --name false */
	OPTION_STRING,     /* const char *, not empty; NULL when absent */
	OPTION_U64,        /* uint64_t: a decimal number */
	OPTION_SIZE,       /* uint64_t, bytes: 4096, 64KiB, 1.5GiB, 10MB */
	OPTION_RATE,       /* uint64_t, bits a second: 0, 500Mbit, 1GiB/s, unlimited */
	OPTION_LIMIT,      /* uint64_t, the same: RATE_MIN to RATE_MAX, or unlimited */
	OPTION_AUTO_LIMIT, /* uint64_t, the same, or auto */
	OPTION_DURATION,   /* nsec: 10s, 500ms, 2m, 1h */
	OPTION_LIST,       /* struct option_list: may be given many times */
	OPTION_WORD,       /* uint64_t: which of `words`, from 1; 0 when absent */
};

struct option_spec {
	const char *name;     /* without the dashes; NULL ends the table */
	const char *arg;      /* the value's name in the help; NULL for a flag */
	const char *help;     /* what it does, one line */
	const char *fallback; /* default, as the user would write it; NULL: zero */
	enum option_kind kind;
	bool required;
	size_t offset;            /* of the field in the target struct */
	const char *const *words; /* OPTION_WORD: a NULL ends them */
	uint64_t min;             /* numbers: smallest value, in the field's unit */
	uint64_t max;             /* numbers: largest value; 0: no bound */
};

struct option_command {
	const char *name;     /* "snapshot create" */
	bool is_program;      /* the name is the program's, not a command of snapline's */
	const char *operands; /* "FROM_DIR", as in the help; NULL: none */
	const char *summary;  /* sentences for the help, lines ended by newlines */
	const struct option_spec *options; /* at most 64 */
	size_t min_operands;
	size_t max_operands; /* at most OPTION_LIST_MAX */
};

enum options_result { OPTIONS_RUN = 0, OPTIONS_HELP = 1 };

/* Fills target and operands from argv (what follows the command's name). Takes "--name
 * value", "--name=value", "--flag", operands anywhere, and "--" to end options. Returns
 * OPTIONS_RUN, OPTIONS_HELP when --help was asked for, or -EINVAL with a text that names
 * the option and what it takes. */
int options_parse(const struct option_command *command, int argc, char *const argv[],
	void *target, struct option_list *operands, struct fault *fault);

/* Writes usage, summary and one row an option. */
void options_help(const struct option_command *command, FILE *out);

#endif
