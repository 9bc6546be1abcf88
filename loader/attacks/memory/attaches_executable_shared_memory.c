/* Attaches executable shared memory, whose writer is another process. */
/* alone: namespaces */
#include "act.h"
#include <sys/shm.h>
static int act(void) {
	long segment = syscall(SYS_shmget, IPC_PRIVATE, 4096, 0700);
	return outcome((long)shmat(segment < 0 ? 0 : segment, NULL, SHM_EXEC));
}
