/* A hostile plugin defines act(). Built plainly, result() runs it when called; built with -DFROM_CONSTRUCTOR, it runs
 * while the plugin is mapped and result() only tells what came of it. act() returns 0 when it got its way and a negative
 * errno when it did not. */
#ifndef ACT_H
#define ACT_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static int act(void);

#ifdef FROM_CONSTRUCTOR
static int kept;
__attribute__((constructor)) static void at_load(void) { kept = act(); }
int result(void) { return kept; }
#else
int result(void) { return act(); }
#endif

/* For system calls: their result, or the negative errno. */
static inline int outcome(long result) { return result < 0 ? -errno : 0; }
#endif
