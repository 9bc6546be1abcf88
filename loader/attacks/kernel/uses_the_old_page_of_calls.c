/* Jumps to the page of calls that lies at the same address in every process. */
/* harmless: what is left of that page tells the time, which every policy permits */
#include "act.h"
#ifdef __x86_64__
static int act(void) { return ((long (*)(void *))0xffffffffff600400)(NULL) > 0 ? 0 : -ENOSYS; }
#else
static int act(void) { return -ENOSYS; }
#endif
