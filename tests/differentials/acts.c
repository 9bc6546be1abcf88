/* The plain violations: no trick with the format, only what a policy is about. One act for each `ACT_`. */
#include <stddef.h>
#include <stdint.h>

static long call(long number, long a, long b, long c) {
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

#ifdef ACT_IFUNC
/* p02: code that runs while relocations are applied, before any initialiser. */
static long one(void) { return 1; }
static void *choose(void) {
	call(1, 1, (long)"EVIL-CTOR-RAN\n", 14);
	return one;
}
static long chosen(void) __attribute__((ifunc("choose")));
long plugin_abi(void) { return chosen(); }
#endif

#ifdef ACT_SYSCALLS
/* p03: no import. */
static char *arguments[] = {"/bin/echo", "EVIL-SYSTEM-RAN", NULL};
long plugin_run(void) {
	if (call(57, 0, 0, 0) == 0) {
		call(59, (long)arguments[0], (long)arguments, 0);
		call(231, 1, 0, 0);
	}
	return call(61, -1, 0, 0);
}
#endif

#ifdef ACT_DLSYM
/* p07: the name is text, and no import. */
void *dlsym(void *, const char *);
long plugin_run(void) {
	int (*function)(const char *) = (int (*)(const char *))dlsym(NULL, "system");
	return function ? function("echo EVIL-SYSTEM-RAN") : -1;
}
#endif

#ifdef ACT_WALK
/* p06: finds the C library through the debugger's list of the program that called, without any import. */
#include <elf.h>
#include <link.h>

static int same(const char *a, const char *b) {
	while (*a && *a == *b) a++, b++;
	return *a == *b;
}

static void *look_up(struct link_map *map, const char *wanted) {
	const char *strings = NULL;
	const Elf64_Sym *symbols = NULL;
	const uint32_t *hash = NULL;
	for (Elf64_Dyn *tag = map->l_ld; tag->d_tag; tag++) {
		uintptr_t at = tag->d_un.d_ptr < map->l_addr ? tag->d_un.d_ptr + map->l_addr : tag->d_un.d_ptr;
		if (tag->d_tag == DT_STRTAB) strings = (const char *)at;
		if (tag->d_tag == DT_SYMTAB) symbols = (const Elf64_Sym *)at;
		if (tag->d_tag == DT_GNU_HASH) hash = (const uint32_t *)at;
	}
	if (!strings || !symbols || !hash) return NULL;
	const uint32_t *buckets = hash + 4 + hash[2] * 2, *chains = buckets + hash[0];
	for (uint32_t bucket = 0; bucket < hash[0]; bucket++) {
		uint32_t index = buckets[bucket];
		if (index < hash[1]) continue;
		for (;; index++) {
			if (symbols[index].st_shndx && same(strings + symbols[index].st_name, wanted))
				return (void *)(map->l_addr + symbols[index].st_value);
			if (chains[index - hash[1]] & 1) break;
		}
	}
	return NULL;
}

long plugin_run(void) {
	uintptr_t page = (uintptr_t)__builtin_return_address(0) & ~(uintptr_t)4095;
	while (*(const uint32_t *)page != 0x464c457f) page -= 4096;
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)page;
	const Elf64_Phdr *segment = (const Elf64_Phdr *)(page + header->e_phoff);
	for (int at = 0; at < header->e_phnum; at++) {
		if (segment[at].p_type != PT_DYNAMIC) continue;
		for (Elf64_Dyn *tag = (Elf64_Dyn *)(page + segment[at].p_vaddr); tag->d_tag; tag++) {
			if (tag->d_tag != DT_DEBUG) continue;
			for (struct link_map *map = ((struct r_debug *)tag->d_un.d_ptr)->r_map; map; map = map->l_next) {
				int (*function)(const char *) = (int (*)(const char *))look_up(map, "system");
				if (function) return function("echo EVIL-SYSTEM-RAN");
			}
		}
	}
	return -1;
}
#endif
