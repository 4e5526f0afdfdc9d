/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory from the kernel, with or without hugepages; and hugepages.sh against a made-up
 * /sys, so that it is tested without root and without touching this machine. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/base/log.h"
#include "hugepages/hugepages.h"
#include "tests/lib/folder.h"

#define SMALL "kernel/mm/hugepages/hugepages-2048kB"
#define LARGE "kernel/mm/hugepages/hugepages-1048576kB"
#define NODE_SMALL "devices/system/node/node1/hugepages/hugepages-2048kB"

struct fake {
	char root[64];
	char output[4096]; /* of the last run, stdout and stderr */
};

static void write_file(struct fake *fake, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", fake->root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static void read_file(struct fake *fake, const char *name, char *text, int size)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", fake->root, name);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, size, file));
	(void)fclose(file);
	text[strcspn(text, "\n")] = '\0';
}

static int run(struct fake *fake, const char *arguments)
{
	char command[512];
	FILE *pipe;
	size_t len;

	(void)snprintf(command, sizeof(command),
		"SYSFS=%s PROC=%s hugepages/hugepages.sh %s 2>&1", fake->root, fake->root,
		arguments);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	len = fread(fake->output, 1, sizeof(fake->output) - 1, pipe);
	fake->output[len] = '\0';
	return WEXITSTATUS(pclose(pipe));
}

static void assert_said(const struct fake *fake, const char *text)
{
	if (strstr(fake->output, text) == NULL)
		fail_msg("'%s' is not in: %s", text, fake->output);
}

static int set_up(void **state)
{
	static const char *const folders[] = {SMALL, LARGE, NODE_SMALL};
	struct fake *fake = calloc(1, sizeof(*fake));
	char command[256], name[128];

	*state = fake;
	if (!folder_make(fake->root, sizeof(fake->root), "hugepages"))
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		(void)snprintf(command, sizeof(command), "mkdir -p %s/%s", fake->root,
			folders[i]);
		if (system(command) != 0)
			return 1;
		(void)snprintf(name, sizeof(name), "%s/nr_hugepages", folders[i]);
		write_file(fake, name, "0\n");
		(void)snprintf(name, sizeof(name), "%s/free_hugepages", folders[i]);
		write_file(fake, name, "0\n");
	}
	write_file(
		fake, "meminfo", "MemAvailable:   8388608 kB\nHugepagesize: 2048 kB\n");
	return 0;
}

static int tear_down(void **state)
{
	struct fake *fake = *state;
	char command[256];
	int rc;

	(void)snprintf(command, sizeof(command), "rm -rf %s", fake->root);
	rc = system(command);
	free(fake);
	return rc;
}

static void status_lists_every_size_and_node(void **state)
{
	struct fake *fake = *state;

	write_file(fake, SMALL "/nr_hugepages", "64\n");
	write_file(fake, SMALL "/free_hugepages", "60\n");
	assert_int_equal(run(fake, "status"), 0);
	assert_said(fake, "all      2 MiB          64       60      128 MiB");
	assert_said(fake, "all      1 GiB           0        0");
	assert_said(fake, "1        2 MiB           0        0");
}

static void reserve_writes_the_number_of_pages(void **state)
{
	struct fake *fake = *state;
	char text[32];

	assert_int_equal(run(fake, "reserve 128"), 0);
	assert_said(fake, "128 pages of 2 MiB reserved");
	read_file(fake, SMALL "/nr_hugepages", text, sizeof(text));
	assert_string_equal(text, "128");

	assert_int_equal(run(fake, "-N 1 reserve 7"), 0);
	read_file(fake, NODE_SMALL "/nr_hugepages", text, sizeof(text));
	assert_string_equal(text, "7");

	assert_int_equal(run(fake, "-s 1G reserve 2"), 0);
	read_file(fake, LARGE "/nr_hugepages", text, sizeof(text));
	assert_string_equal(text, "2");

	assert_int_equal(run(fake, "release"), 0);
	read_file(fake, SMALL "/nr_hugepages", text, sizeof(text));
	assert_string_equal(text, "0");
}

static void a_dry_run_says_what_it_would_write_and_writes_nothing(void **state)
{
	struct fake *fake = *state;
	char text[32];

	assert_int_equal(run(fake, "-n reserve 9"), 0);
	assert_said(fake, "would write 9 to");
	read_file(fake, SMALL "/nr_hugepages", text, sizeof(text));
	assert_string_equal(text, "0");
}

/* The kernel gives what it finds and reports no error; here a link to /dev/null plays a
 * kernel that finds nothing. */
static void a_short_reservation_names_its_reason(void **state)
{
	struct fake *fake = *state;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s/nr_hugepages", fake->root, SMALL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(run(fake, "reserve 16"), 71);
	assert_said(fake, "fragmented");

	write_file(fake, "meminfo", "MemAvailable:  1024 kB\nHugepagesize:  2048 kB\n");
	assert_int_equal(run(fake, "reserve 16"), 71);
	assert_said(fake, "not enough memory");
}

static void wrong_arguments_are_told_apart(void **state)
{
	struct fake *fake = *state;

	assert_int_equal(run(fake, "reserve many"), 64);
	assert_said(fake, "a number of pages, not 'many'");
	assert_int_equal(run(fake, "reserve"), 64);
	assert_int_equal(run(fake, "reserve 99999999999999999999"), 64);
	assert_int_equal(run(fake, ""), 64);
	assert_int_equal(run(fake, "frobnicate"), 64);
	assert_int_equal(run(fake, "-s 3Q status"), 0); /* status shows all sizes */
	assert_int_equal(run(fake, "-s 3Q release"), 64);
	assert_int_equal(run(fake, "-N ../x release"), 64);
	assert_int_equal(run(fake, "-N 4 release"), 65);
	assert_int_equal(run(fake, "-s 16M release"), 65);
	assert_int_equal(run(fake, "--help"), 0);
}

static void more_hugepages_than_exist_are_not_available(void **state)
{
	(void)state;
	assert_false(hugepages_available((size_t)1 << 52));
	assert_false(hugepages_available(0));
	assert_false(hugepages_available(SIZE_MAX));
	assert_int_equal(hugepages_count(0), 0);
	assert_int_equal(hugepages_count(1), 1);
}

/* As DPDK's plain memory is: a file in memory, some of it in use. */
static void unused_memory_is_mapped_anew_and_the_rest_stays(void **state)
{
	enum { PAGE = 2 << 20, SIZE = 5 * PAGE };
	int file = memfd_create("memory", MFD_CLOEXEC);
	uint8_t *memory, *first;
	size_t offset;

	(void)state;
	assert_return_code(ftruncate(file, SIZE), errno);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	assert_true(memory != MAP_FAILED);
	first = memory + (-(uintptr_t)memory & (PAGE - 1));
	offset = (size_t)(first - memory);
	first[PAGE + 4096] = 'x';
	/* the first one is not whole, the second one is in use */
	assert_int_equal(
		hugepages_advise(first + 1, 4 * PAGE - 1, file, offset + 1), 2 * PAGE);
	assert_int_equal(first[PAGE + 4096], 'x');
	assert_int_equal(first[2 * PAGE], 0);
	first[2 * PAGE] = 'y';
	assert_int_equal(hugepages_advise(first, PAGE - 1, file, offset), 0);
	assert_int_equal(hugepages_advise(first + 2 * PAGE, PAGE, -1, 0), PAGE);
	assert_int_equal(first[2 * PAGE], 'y'); /* private already */
	assert_int_equal(munmap(memory, SIZE), 0);
	assert_int_equal(close(file), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			status_lists_every_size_and_node, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			reserve_writes_the_number_of_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_dry_run_says_what_it_would_write_and_writes_nothing, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_short_reservation_names_its_reason, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			wrong_arguments_are_told_apart, set_up, tear_down),
		cmocka_unit_test(more_hugepages_than_exist_are_not_available),
		cmocka_unit_test(unused_memory_is_mapped_anew_and_the_rest_stays),
	};

	log_set_level(LOG_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
