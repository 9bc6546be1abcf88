/* Opens a socket in DT_FINI, which runs when the process leaves. */
#include "act.h"
#include <sys/socket.h>
#include <stdlib.h>
__attribute__((visibility("hidden"), used)) void lazaret_fini(void) { _exit(socket(AF_INET, SOCK_STREAM, 0) < 0); }
#ifdef __x86_64__
__asm__(".section .fini, \"ax\"\n\tcall lazaret_fini\n\t.text");
#else
__asm__(".section .fini, \"ax\"\n\tbl lazaret_fini\n\t.text");
#endif
static int act(void) { exit(1); }
