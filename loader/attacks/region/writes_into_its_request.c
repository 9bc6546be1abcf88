/* Writes into the request it was called with, which the host may still hold true. */
/* called as: into_the_request(from: in [u8; 16]) -> i32 */
#include "act.h"
/* The host calls this with a buffer of the request. */
int into_the_request(unsigned char *from) { return *(volatile unsigned char *)from = 1; }
static int act(void) { return -ENOTSUP; }
