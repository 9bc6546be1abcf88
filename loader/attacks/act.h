/* A hostile plugin defines act(). Built plainly, result() runs it when called; built with -DFROM_CONSTRUCTOR, it runs
 * while the plugin is mapped and result() only tells what came of it. act() returns 0 when it got its way and a negative
 * errno when it did not. The first line of each act says what it tries and what that would have meant.
 *
 * The program has all of them in it (loader/build.rs, `lazaret prove`), where -DACT=NAME gives each a name of its own. What
 * that needs to know about an act stands on lines of their own below the first:
 *   alone: never | apart LAYER …        it would harm the machine where layers are taken off, so it runs with all of them
 *                                       only; or where the cell has another user than its host, or cannot name it, or while
 *                                       one of these is in force
 *   succeeds with: exit 0 | SIGNAL | ERRNO …   what getting its way looks like besides 0
 *   fails with: NUMBER                  a result that says that there was nothing to be had
 *   called as: SIGNATURE                where it is not act() that is called
 *   contained by: LAYER                 while this is in force nobody but the plugin notices that it got its way
 *   leaves: PATH                        what it leaves where it gets its way
 *   permitted by: KEY VALUE, …          the grants of a policy that, together, permit it
 *   harmless: WHY                       every policy permits it, since it harms nobody but the plugin */
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

#ifdef ACT
int ACT(void) { return act(); }
#elif defined FROM_CONSTRUCTOR
static int kept;
__attribute__((constructor)) static void at_load(void) { kept = act(); }
int result(void) { return kept; }
#else
int result(void) { return act(); }
#endif

/* The file that acts on files aim at; tests name one that a policy grants. */
#ifndef TARGET
#define TARGET "/tmp/lazaret-was-here"
#endif

/* The process that started this one. In a namespace of processes the host has no id; then one that is nobody's. */
__attribute__((unused)) static inline int the_host(void) {
	int parent = getppid();
	return parent ? parent : 0x3fffff;
}

/* For system calls: their result, or the negative errno. */
static inline int outcome(long result) { return result < 0 ? -errno : 0; }

/* A system call without the C library: where it would make another, or cannot be called yet. A negative errno is one. */
__attribute__((always_inline, unused)) static inline long raw(long number, long first, long second, long third) {
#ifdef __x86_64__
	long result;
	register long fourth __asm__("r10") = 0;
	register long fifth __asm__("r8") = 0;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third), "r"(fourth), "r"(fifth)
		: "rcx", "r11", "memory");
	return result;
#else
	register long call __asm__("x8") = number;
	register long result __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register long x2 __asm__("x2") = third;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = 0;
	__asm__ volatile("svc #0" : "+r"(result) : "r"(call), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return result;
#endif
}
#endif
