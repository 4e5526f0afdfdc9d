/* SPDX-License-Identifier: BSD-3-Clause */
/* snapline NOUN VERB: finds the subcommand in a table and runs it. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "control/cli/cli.h"
#include "dataplane/base/parse.h"

enum { LARGE_BLOCK = 4 << 20 /* bytes */ };

struct command {
	const char *noun;
	const char *verb; /* NULL: the noun is the command */
	const char *summary;
	int (*run)(int argc, char *const argv[]);
};

static const struct command commands[] = {
	{"node", NULL, "serve a store, receive snapshots", node_command},
	{"pull", NULL, "fetch a node's newest snapshot", pull_command},
	{"bench", NULL, "how fast it is here, and what is the slowest", bench_command},
	{"tune", NULL, "what a node should be told here", tune_command},
	{"snapshot", "create", "make a snapshot out of a directory", snapshot_create},
	{"snapshot", "list", "the snapshots of a store", snapshot_list},
	{"snapshot", "show", "one snapshot: members, files, checksums", snapshot_show},
	{"snapshot", "verify", "read every byte and compare checksums", snapshot_verify},
	{"transfer", "start", "send a node's newest snapshot to a peer",
		transfer_start_command},
	{"transfer", "list", "what a node sends and receives", transfer_list_command},
	{"transfer", "pause", "hold a transfer up", transfer_pause_command},
	{"transfer", "resume", "let it go on", transfer_resume_command},
	{"transfer", "cancel", "give a transfer up", transfer_cancel_command},
	{"transfer", "throttle", "limit a transfer's rate", transfer_throttle_command},
	{"queue", "list", "what a node's queues may send, and do", queue_list_command},
	{"queue", "set-rate", "limit a queue or a port", queue_set_rate_command},
};

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
	       strcmp(word, "help") == 0;
}

/* All commands, or those of one noun. */
static void help(const char *noun, FILE *out)
{
	(void)fprintf(
		out, "usage: snapline %s [options]\n\n", noun != NULL ? noun : "COMMAND");
	if (noun == NULL)
		(void)fputs("Brings far-behind Raft followers up to date: moves "
			    "snapshots between nodes\nover DPDK, or TCP where there is "
			    "no device.\n\n",
			out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *command = &commands[i];
		char name[40];

		if (noun != NULL && strcmp(noun, command->noun) != 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s %s", command->noun,
			command->verb != NULL ? command->verb : "");
		(void)fprintf(out, "  snapline %-17s %s\n", name, command->summary);
	}
	(void)fputs("\nsnapline COMMAND --help explains a command; snapline --version.\n",
		out);
}

/* Complains about a word that is no noun, or no verb of noun. */
static int refuse(const char *noun, const char *word)
{
	const char *candidates[ARRAY_LEN(commands)];
	const char *space = noun != NULL ? " " : "", *near;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (noun == NULL)
			candidates[count++] = commands[i].noun;
		else if (strcmp(noun, commands[i].noun) == 0)
			candidates[count++] = commands[i].verb;
	}
	noun = noun != NULL ? noun : "";
	near = nearest_word(word, candidates, count);
	if (near != NULL)
		(void)fprintf(stderr,
			"snapline: there is no command '%s%s%.60s'; did you mean "
			"snapline %s%s%s?\n",
			noun, space, word, noun, space, near);
	else
		(void)fprintf(stderr,
			"snapline: there is no command '%s%s%.60s'; see snapline "
			"--help\n",
			noun, space, word);
	return EX_USAGE;
}

static int dispatch(int argc, char *const argv[])
{
	const char *noun = NULL;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *command = &commands[i];

		if (strcmp(argv[1], command->noun) != 0)
			continue;
		noun = command->noun;
		if (command->verb == NULL)
			return command->run(argc - 2, argv + 2);
		if (argc > 2 && strcmp(argv[2], command->verb) == 0)
			return command->run(argc - 3, argv + 3);
	}
	if (noun == NULL)
		return refuse(NULL, argv[1]);
	if (argc > 2 && is_help(argv[2])) {
		help(noun, stdout);
		return EX_OK;
	}
	if (argc > 2)
		return refuse(noun, argv[2]);
	help(noun, stderr);
	return EX_USAGE;
}

/* A result that could not be written is no result. */
static int close_output(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EX_OK;
	if (errno != EPIPE) /* `| head` has seen enough */
		(void)fprintf(stderr, "snapline: standard output: %s\n",
			errno != 0 ? strerror(errno) : "write error");
	return EX_IOERR;
}

/* Manifests of large snapshots are held for moments, in one piece or several: that memory
 * goes back to the system at once, and leaves no hole. Smaller pieces are kept. */
static void return_large_blocks(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	(void)mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BLOCK);
}

int main(int argc, char *argv[])
{
	int exit_code = EX_OK;

	/* A peer or reader that went away is an error of write(2), not our end. */
	(void)signal(SIGPIPE, SIG_IGN);
	return_large_blocks();
	if (argc < 2) {
		help(NULL, stderr);
		return EX_USAGE;
	}
	if (is_help(argv[1]))
		help(NULL, stdout);
	else if (strcmp(argv[1], "--version") == 0)
		(void)puts("snapline " SNAPLINE_VERSION);
	else
		exit_code = dispatch(argc, argv);
	return exit_code != EX_OK ? exit_code : close_output();
}
