/* Puts a key into the kernel's key store, which belongs to the user and outlives the cell. */
#include "act.h"
static int act(void) { return outcome(syscall(SYS_add_key, "user", "lazaret", "x", 1, -3)); }
