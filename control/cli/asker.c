/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/asker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENDS = 2 }; /* of a pipe */

static void close_pipe(const int ends[static ENDS])
{
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void run(struct foreground *foreground, nsec span, int go, int answer)
{
	struct foreground_times times;
	char word;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &word, 1) == 1 && foreground_ask(foreground, span, &times) == 0)
		(void)!write(answer, &times, sizeof(times));
	_exit(0);
}

static int start_child(struct asker *asker, struct foreground *foreground, nsec span)
{
	int go[ENDS], answer[ENDS];
	pid_t child;

	if (pipe2(go, O_CLOEXEC) != 0)
		return -errno;
	if (pipe2(answer, O_CLOEXEC) != 0) {
		int err = -errno;

		close_pipe(go);
		return err;
	}
	child = fork();
	if (child == 0) {
		/* or it would wait for a word that only itself could still give */
		(void)close(go[1]);
		(void)close(answer[0]);
		run(foreground, span, go[0], answer[1]);
	}
	if (child < 0) {
		close_pipe(go);
		close_pipe(answer);
		return -EAGAIN;
	}
	(void)close(go[0]);
	(void)close(answer[1]);
	*asker = (struct asker){child, go[1], answer[0]};
	return 0;
}

int asker_start(struct asker *asker, const char *where, nsec span, struct fault *fault)
{
	struct foreground foreground;
	int err = foreground_open(&foreground, where, fault);

	if (err != 0)
		return err;
	err = start_child(asker, &foreground, span);
	foreground_close(&foreground);
	return err == 0 ? 0
			: fault_set(fault, err, "no process to ask: %s", strerror(-err));
}

void asker_go(const struct asker *asker)
{
	if (asker->child > 0)
		(void)!write(asker->go, "", 1);
}

bool asker_end(struct asker *asker, struct foreground_times *times)
{
	bool has_times;

	if (asker->child <= 0)
		return false;
	(void)close(asker->go); /* it hears that no word will come */
	has_times = read(asker->answer, times, sizeof(*times)) == (ssize_t)sizeof(*times);
	(void)close(asker->answer);
	while (waitpid(asker->child, NULL, 0) < 0 && errno == EINTR)
		;
	return has_times;
}
