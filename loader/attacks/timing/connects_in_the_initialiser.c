/* Opens a socket in DT_INIT, the initialiser that linkers made before there were constructors. */
/* permitted by: syscalls.allow socket */
#include "act.h"
#include <sys/socket.h>
static int came = 1;
__attribute__((visibility("hidden"), used)) void lazaret_init(void) { came = outcome(socket(AF_INET, SOCK_STREAM, 0)); }
#ifdef __x86_64__
__asm__(".section .init, \"ax\"\n\tcall lazaret_init\n\t.text");
#else
__asm__(".section .init, \"ax\"\n\tbl lazaret_init\n\t.text");
#endif
static int act(void) { return came; }
