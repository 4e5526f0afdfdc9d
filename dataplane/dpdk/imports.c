/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dpdk/imports.h"

#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/base/units.h"

struct search {
	const char *library;
	struct import *imports;
	size_t count;
	bool was_found;
};

/* The tables of one library that name its slots. */
struct tables {
	Elf64_Addr base;
	Elf64_Addr read_only, read_only_end; /* made so after the slots were filled */
	const Elf64_Sym *symbols;
	const char *names;
	const Elf64_Rela *slots[2]; /* of calls; of addresses that are taken */
	size_t nslots[2];
};

/* The linker relocates most of these, and leaves some as they are in the file. */
static const void *at(const struct tables *tables, Elf64_Addr address)
{
	return (const void *)(address < tables->base ? tables->base + address : address);
}

static void read_dynamic(struct tables *tables, const Elf64_Dyn *entry)
{
	for (; entry->d_tag != DT_NULL; entry++) {
		switch (entry->d_tag) {
		case DT_SYMTAB:
			tables->symbols = at(tables, entry->d_un.d_ptr);
			break;
		case DT_STRTAB:
			tables->names = at(tables, entry->d_un.d_ptr);
			break;
		case DT_JMPREL:
			tables->slots[0] = at(tables, entry->d_un.d_ptr);
			break;
		case DT_PLTRELSZ:
			tables->nslots[0] = entry->d_un.d_val / sizeof(Elf64_Rela);
			break;
		case DT_RELA:
			tables->slots[1] = at(tables, entry->d_un.d_ptr);
			break;
		case DT_RELASZ:
			tables->nslots[1] = entry->d_un.d_val / sizeof(Elf64_Rela);
			break;
		default:
			break;
		}
	}
}

static void read_tables(struct tables *tables, const struct dl_phdr_info *info)
{
	const Elf64_Dyn *dynamic = NULL;

	*tables = (struct tables){.base = info->dlpi_addr};
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *part = &info->dlpi_phdr[i];

		if (part->p_type == PT_DYNAMIC)
			dynamic = (const void *)(tables->base + part->p_vaddr);
		if (part->p_type == PT_GNU_RELRO) {
			tables->read_only = tables->base + part->p_vaddr;
			tables->read_only_end = tables->read_only + part->p_memsz;
		}
	}
	if (dynamic != NULL)
		read_dynamic(tables, dynamic);
	if (tables->symbols == NULL || tables->names == NULL)
		tables->nslots[0] = tables->nslots[1] = 0;
}

static bool write_slot(const struct tables *tables, Elf64_Addr slot, void (*to)(void))
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = (void *)(slot - slot % size);
	bool is_read_only = slot >= tables->read_only && slot < tables->read_only_end;

	if (is_read_only && mprotect(page, size, PROT_READ | PROT_WRITE) != 0)
		return false;
	/* a thread of the library's may be about to call; `to` was there all the time */
	atomic_store((_Atomic(void (*)(void)) *)slot, to);
	if (is_read_only)
		(void)mprotect(page, size, PROT_READ);
	return true;
}

static bool is_of(const struct tables *tables, const Elf64_Rela *slot, const char *name)
{
	size_t symbol = ELF64_R_SYM(slot->r_info);

	return symbol != 0 && slot->r_addend == 0 &&
	       strcmp(tables->names + tables->symbols[symbol].st_name, name) == 0;
}

static void replace(const struct tables *tables, struct import *import)
{
	for (size_t kind = 0; kind < ARRAY_LEN(tables->slots); kind++) {
		for (size_t i = 0; i < tables->nslots[kind]; i++) {
			const Elf64_Rela *slot = &tables->slots[kind][i];

			if (is_of(tables, slot, import->symbol) &&
				write_slot(tables, tables->base + slot->r_offset,
					import->to))
				import->was_replaced = true;
		}
	}
}

static int look_at(struct dl_phdr_info *info, size_t size, void *context)
{
	struct search *search = context;
	const char *name = strrchr(info->dlpi_name, '/');
	struct tables tables;

	(void)size;
	name = name != NULL ? name + 1 : info->dlpi_name;
	if (strncmp(name, search->library, strlen(search->library)) != 0)
		return 0;
	search->was_found = true;
	read_tables(&tables, info);
	for (size_t i = 0; i < search->count; i++)
		replace(&tables, &search->imports[i]);
	return 0;
}

bool imports_replace(const char *library, struct import imports[], size_t count)
{
	struct search search = {library, imports, count, false};

	(void)dl_iterate_phdr(look_at, &search);
	return search.was_found;
}
