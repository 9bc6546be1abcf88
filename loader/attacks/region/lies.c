/* Lies in the memory it shares with the host, in each way that the host must notice. */
/* Each function gets a buffer of the reply and so the address of its lane: control words one page before the payload
 * (loader/cell/src/region.rs). */
#include "act.h"
#include <time.h>
static int act(void) { return 0; }

enum { SEQUENCE = 0, VERB = 2, LENGTH = 4 };

static volatile uint32_t *lane(void *buffer) {
	return (volatile uint32_t *)(((uintptr_t)buffer & ~(uintptr_t)4095) - 4096);
}

static void stop(void) {
	struct timespec day = { 86400, 0 };
	for (;;) nanosleep(&day, NULL);
}

/* Answers a request that nobody made. */
int answers_the_future(void *buffer) {
	__atomic_store_n(&lane(buffer)[SEQUENCE], lane(buffer)[SEQUENCE] + 2, __ATOMIC_SEQ_CST);
	stop();
	return 0;
}

/* Answers this request, with a length that no message has. */
int claims_a_length(void *buffer) {
	lane(buffer)[VERB] = 0;
	lane(buffer)[LENGTH] = 0xfffffff0;
	__atomic_store_n(&lane(buffer)[SEQUENCE], lane(buffer)[SEQUENCE] + 1, __ATOMIC_SEQ_CST);
	stop();
	return 0;
}

/* Answers this request with a status that does not exist. */
int claims_a_status(void *buffer) {
	lane(buffer)[VERB] = 77;
	lane(buffer)[LENGTH] = 32;
	__atomic_store_n(&lane(buffer)[SEQUENCE], lane(buffer)[SEQUENCE] + 1, __ATOMIC_SEQ_CST);
	stop();
	return 0;
}

/* Overwrites all of its half, note, control words and payload. */
int overwrites_the_region(void *buffer) {
	volatile unsigned char *start = (volatile unsigned char *)lane(buffer) - 4096;
	for (size_t at = 0; at < 3 * 4096; at++) start[at] = 0xa5;
	stop();
	return 0;
}

/* Notes a violation that did not happen, and crashes. */
int forges_a_note(void *buffer) {
	volatile uint64_t *note = (volatile uint64_t *)((char *)lane(buffer) - 4096);
	note[1] = 0; note[2] = 31; note[3] = 59;
	note[0] = 2;
	*(volatile int *)8 = 1;
	return 0;
}

/* A string whose end lies outside of every message. */
const char *returns_an_endless_string(void) {
	static char text[1 << 22];
	for (size_t at = 0; at + 1 < sizeof text; at++) text[at] = 'x';
	return text;
}
