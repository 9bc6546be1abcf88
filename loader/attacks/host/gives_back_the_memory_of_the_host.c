/* Has the kernel page out memory of the host, which would slow it down. */
#include "act.h"
#include <sys/mman.h>
#include <sys/uio.h>
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
static int act(void) {
	long host = syscall(SYS_pidfd_open, the_host(), 0);
	static char page[8192];
	struct iovec theirs = { (void *)(((uintptr_t)page + 4095) & ~(uintptr_t)4095), 4096 };
	return outcome(syscall(SYS_process_madvise, host < 0 ? 0 : host, &theirs, 1, MADV_COLD, 0));
}
