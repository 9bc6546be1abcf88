/* Leaves a file with a call that older checks forget. */
/* permitted by: files.write TARGET */
#include "act.h"
#include <fcntl.h>
#ifdef SYS_creat
static int act(void) { return outcome(syscall(SYS_creat, TARGET, 0600)); }
#else
static int act(void) { return outcome(open(TARGET, O_WRONLY | O_CREAT | O_TRUNC, 0600)); }
#endif
