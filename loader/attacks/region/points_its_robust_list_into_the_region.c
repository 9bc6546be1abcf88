/* Has the kernel write into what it shares with the host when its thread ends. */
#include "act.h"
#include "lane.h"
static int lie(volatile uint32_t *lane) {
	volatile uint64_t *list = (volatile uint64_t *)((volatile char *)lane + 2048);
	list[0] = (uintptr_t)&list[4];
	list[1] = (uintptr_t)lane - (uintptr_t)&list[4];
	list[2] = 0;
	list[4] = (uintptr_t)&list[0];
	lane[SEQUENCE] = (uint32_t)syscall(SYS_gettid);
	if (syscall(SYS_set_robust_list, list, 24) < 0) return -errno;
	syscall(SYS_exit, 0);
	return 0;
}
