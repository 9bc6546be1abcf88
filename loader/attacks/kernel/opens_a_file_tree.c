/* Copies a tree of mounts, which Landlock lets pass. */
#include "act.h"
#include <fcntl.h>
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
static int act(void) { return outcome(syscall(SYS_open_tree, AT_FDCWD, "/", 1)); }
