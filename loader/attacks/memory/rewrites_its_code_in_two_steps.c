/* Makes its code writable, changes it, and makes it executable again. */
#include "act.h"
#include <sys/mman.h>
__attribute__((aligned(4096))) static char data[4096] = { 1 };
static int act(void) {
	uintptr_t page = ((uintptr_t)&data & ~(uintptr_t)4095);
	if (mprotect((void *)page, 4096, PROT_READ | PROT_WRITE) < 0) return -errno;
	*(volatile char *)&data = (char)0xc3;
	return outcome(mprotect((void *)page, 4096, PROT_READ | PROT_EXEC));
}
