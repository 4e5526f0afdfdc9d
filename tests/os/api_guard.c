/* SPDX-License-Identifier: BSD-3-Clause */
/* A program that embeds the library outlives a memif peer that is killed, as ours do: the
 * driver's calls lead into the library, and everybody else's where they did before. What
 * that is good for is told in tests/dpdk/memif_survivor.c. */
#include <dlfcn.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapline.h>

#include "tests/lib/folder.h"

/* Who answers the driver's calls of a function: the name of a file, or NULL. */
struct question {
	const char *symbol;
	const char *file;
};

static int ask(struct dl_phdr_info *info, size_t size, void *context)
{
	struct question *question = context;
	const ElfW(Dyn) *entry = NULL;
	const ElfW(Sym) *symbols = NULL;
	const ElfW(Rela) *slots = NULL;
	const char *names = NULL;
	size_t count = 0;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			entry = (const void *)(info->dlpi_addr +
					       info->dlpi_phdr[i].p_vaddr);
	}
	if (strstr(info->dlpi_name, "/librte_net_memif.so") == NULL || entry == NULL)
		return 0;
	for (; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_SYMTAB)
			symbols = (const void *)entry->d_un.d_ptr;
		else if (entry->d_tag == DT_STRTAB)
			names = (const void *)entry->d_un.d_ptr;
		else if (entry->d_tag == DT_JMPREL)
			slots = (const void *)entry->d_un.d_ptr;
		else if (entry->d_tag == DT_PLTRELSZ)
			count = entry->d_un.d_val / sizeof(*slots);
	}
	for (size_t i = 0; i < count; i++) {
		void *const *slot = (void *const *)(info->dlpi_addr + slots[i].r_offset);
		Dl_info found;

		if (strcmp(names + symbols[slots[i].r_info >> 32].st_name,
			    question->symbol) == 0 &&
			dladdr(*slot, &found) != 0)
			question->file = found.dli_fname;
	}
	return 0;
}

static bool is_ours(const char *file)
{
	return file != NULL && strstr(file, "/libsnapline.so") != NULL;
}

/* Asked while a node with a device runs. */
static int check(const char *symbol, void *own)
{
	struct question question = {.symbol = symbol};
	Dl_info found = {.dli_fname = ""};

	(void)dl_iterate_phdr(ask, &question);
	(void)dladdr(own, &found);
	(void)printf("%s: the driver calls %s, this program %s\n", symbol,
		question.file != NULL ? question.file : "nobody", found.dli_fname);
	return is_ours(question.file) && !is_ours(found.dli_fname) ? 0 : -1;
}

int main(void)
{
	char dir[64], store[96], dev[128], peer_id[32], command[96];
	const struct snapline_device device = {.dev = dev, .ip = "10.0.0.1/24"};
	struct snapline_options options = {.store = store,
		.group = "g",
		.peer_id = peer_id,
		.devices = &device,
		.ndevices = 1,
		.buffers = 4};
	struct snapline_error error = {0};
	struct snapline_node *node;
	int err;

	if (!folder_make(dir, sizeof(dir), "snapline-guard"))
		return 1;
	(void)snprintf(store, sizeof(store), "%s/store", dir);
	(void)snprintf(dev, sizeof(dev), "net_memif0,role=server,socket=%s/m", dir);
	(void)snprintf(
		peer_id, sizeof(peer_id), "127.0.0.1:%d:0", 20000 + getpid() % 20000);
	err = snapline_open(&node, &options, &error);
	if (err == 0) {
		err = check("munmap", dlsym(RTLD_DEFAULT, "munmap"));
		err |= check("sendmsg", dlsym(RTLD_DEFAULT, "sendmsg"));
		snapline_close(node);
	} else {
		(void)fprintf(stderr, "%s\n", error.text);
	}
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) != 0 || err != 0;
}
