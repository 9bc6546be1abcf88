/* What Lazaret is measured against: the same work without any confinement.
 *   floors dlopen FILE   maps FILE and exits
 *   floors spin COUNT    two processes pass a cache line to and fro; prints nanoseconds for each round trip
 *   floors futex COUNT   the same, each sleeping in futex(2) until the other wakes it
 *   floors getppid COUNT, floors wake COUNT  nanoseconds for a system call without a filter
 * The functions at the end are a plugin as well. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Alignas(64) _Atomic uint32_t *line;

static void spin_until(uint32_t value) {
	while (atomic_load_explicit(line, memory_order_acquire) != value) {
#ifdef __x86_64__
		__builtin_ia32_pause();
#endif
	}
}

static void sleep_until(uint32_t value) {
	for (;;) {
		uint32_t seen = atomic_load(line);
		if (seen == value) return;
		syscall(SYS_futex, line, FUTEX_WAIT, seen, NULL, NULL, 0);
	}
}

static void put(uint32_t value, int wake) {
	atomic_store_explicit(line, value, memory_order_release);
	if (wake) syscall(SYS_futex, line, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void ping_pong(uint32_t count, int sleeps) {
	void (*until)(uint32_t) = sleeps ? sleep_until : spin_until;
	line = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t peer = fork();
	if (peer == 0) {
		for (uint32_t at = 0; at < count; at++) {
			until(2 * at + 1);
			put(2 * at + 2, sleeps);
		}
		_exit(0);
	}
	struct timespec began, ended;
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (uint32_t at = 0; at < count; at++) {
		put(2 * at + 1, sleeps);
		until(2 * at + 2);
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	waitpid(peer, NULL, 0);
	double took = (ended.tv_sec - began.tv_sec) * 1e9 + (ended.tv_nsec - began.tv_nsec);
	printf("%.1f\n", took / count);
}

/* A call without and a call with arguments that a filter looks at. */
uint32_t getppids(uint32_t count) {
	while (count--) syscall(SYS_getppid);
	return 0;
}

uint32_t wakes(uint32_t count) {
	static uint32_t word;
	while (count--) syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
	return 0;
}

static void timed(uint32_t (*calls)(uint32_t), uint32_t count) {
	struct timespec began, ended;
	clock_gettime(CLOCK_MONOTONIC, &began);
	calls(count);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	double took = (ended.tv_sec - began.tv_sec) * 1e9 + (ended.tv_nsec - began.tv_nsec);
	printf("%.1f\n", took / count);
}

int main(int count, char **words) {
	if (count == 3 && !strcmp(words[1], "dlopen")) return dlopen(words[2], RTLD_NOW | RTLD_LOCAL) ? 0 : 1;
	if (count == 3 && !strcmp(words[1], "spin")) ping_pong(strtoul(words[2], NULL, 10), 0);
	else if (count == 3 && !strcmp(words[1], "futex")) ping_pong(strtoul(words[2], NULL, 10), 1);
	else if (count == 3 && !strcmp(words[1], "getppid")) timed(getppids, strtoul(words[2], NULL, 10));
	else if (count == 3 && !strcmp(words[1], "wake")) timed(wakes, strtoul(words[2], NULL, 10));
	else return 2;
	return 0;
}
