/* What the dynamic loader calls back while it maps objects (rtld-audit(7)): it puts the call-phase filter in force between
 * the mapping of the plugin and the first instruction of the plugin, IFUNC resolvers included.
 *
 * It lives in a link namespace of its own and cannot see the program's symbols, so both use one page at an agreed address.
 * It uses no C library: that would be a second one in the process. */
#define _GNU_SOURCE
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* The same as in hook.rs. Below what any address space of the two architectures has, and above what programs use. */
#define PAGE ((struct control *)0x2000000000)
#define MAGIC 0x6c7a7274
enum { IDLE, ARMED, DONE };
#define NOT_CONFINED 71

struct control {
	uint32_t magic;
	uint32_t state;
	int32_t descriptor;       /* of the plugin: closed here, since the filter may forbid it afterwards */
	uint32_t length;          /* instructions */
	uint32_t first, last;     /* further descriptors to close; none where the first is 0 */
	struct sock_filter *filter;
	uint64_t relro_address;   /* in the image */
	uint64_t relro_size;
	uint64_t page_size;
	char name[256];           /* as the dynamic loader knows the plugin */
};

/* Words of the filter that stand for what is only known now: RELRO_ADDRESS and RELRO_LENGTH of the plan. */
enum { ADDRESS_HIGH = 0xf1a20001, ADDRESS_LOW, LENGTH_HIGH, LENGTH_LOW };

static long call(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall" : "=a"(result)
		: "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "Lazaret confines plugins on x86_64 and aarch64"
#endif
}

/* In a program that a cell executes, the page is a file at this number: orders with the filter behind them. */
#define ORDERS 7
/* F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE of <linux/fcntl.h>. */
#define ALL_SEALS 0xfL
#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif
#define ORDERS_SIZE (4096 + 8 * 4096)

/* The first thing the dynamic loader calls. 0 would mean that the module wants no part in it. */
unsigned int la_version(unsigned int version) {
	/* Whatever else has that number here is not for this module: orders are a sealed memory file. */
	long seals = call(SYS_fcntl, ORDERS, F_GET_SEALS, 0, 0, 0, 0);
	uint32_t magic = 0;
	if (seals > 0 && (seals & ALL_SEALS) == ALL_SEALS
		&& call(SYS_pread64, ORDERS, (long)&magic, sizeof magic, 0, 0, 0) == sizeof magic && magic == MAGIC) {
		long page = call(SYS_mmap, (long)PAGE, ORDERS_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_FIXED_NOREPLACE, ORDERS, 0);
		if (page != (long)PAGE) return 0;
		call(SYS_close, ORDERS, 0, 0, 0, 0, 0);
		return version;
	}
	long page = call(SYS_mmap, (long)PAGE, sizeof(struct control), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (page != (long)PAGE) return 0;
	PAGE->magic = MAGIC;
	return version;
}

static int same(const char *a, const char *b) {
	while (*a && *a == *b) a++, b++;
	return *a == *b;
}

/* Puts the range that the dynamic loader is about to make read-only (_dl_protect_relro) into the filter: that range, and no
 * other memory. */
static void relro(uint64_t base) {
	uint64_t down = ~(PAGE->page_size - 1);
	uint64_t start = (base + PAGE->relro_address) & down;
	uint64_t length = ((base + PAGE->relro_address + PAGE->relro_size) & down) - start;
	if (PAGE->relro_size == 0) return;
	for (uint32_t i = 0; i < PAGE->length; i++) {
		struct sock_filter *one = &PAGE->filter[i];
		if (one->code != (BPF_JMP | BPF_JEQ | BPF_K)) continue;
		switch (one->k) {
		case ADDRESS_HIGH: one->k = start >> 32; break;
		case ADDRESS_LOW: one->k = (uint32_t)start; break;
		case LENGTH_HIGH: one->k = length >> 32; break;
		case LENGTH_LOW: one->k = (uint32_t)length; break;
		}
	}
}

/* Called when an object is mapped and not yet relocated. Not la_activity(LA_ACT_CONSISTENT): since glibc 2.41 that comes
 * after relocation, and so after IFUNC resolvers ran. */
unsigned int la_objopen(struct link_map *map, Lmid_t namespace, uintptr_t *cookie) {
	(void)namespace;
	(void)cookie;
	if (PAGE->state == ARMED && same(map->l_name, PAGE->name)) {
		struct sock_fprog program = { .len = (unsigned short)PAGE->length, .filter = PAGE->filter };
		relro(map->l_addr);
		call(SYS_close, PAGE->descriptor, 0, 0, 0, 0, 0);
		if (PAGE->first) call(SYS_close_range, PAGE->first, PAGE->last, 0, 0, 0, 0);
		long result = call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, (long)&program, 0, 0, 0);
		if (result != 0) call(SYS_exit_group, NOT_CONFINED, 0, 0, 0, 0, 0);
		PAGE->state = DONE;
	}
	/* No symbol of any object is of interest. */
	return 0;
}
