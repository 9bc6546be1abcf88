/* A small runner: maps the plugin, binds functions by name and calls those that take up to three integers and return one. It
 * speaks the region as region.rs and wire.rs describe it.
 *
 * Arguments: the plugin's path, bytes of a message, the number of the first reply, nanoseconds to spin. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, REQUESTS = 4, REPLIES = 5 };
enum { BIND = 1, CALL = 2 };
enum { DONE = 0, NO_SYMBOL = 1, MALFORMED = 2, NOT_MAPPED = 3 };

struct lane {
	_Atomic uint32_t sequence, sleeps, verb, function, length;
	unsigned char rest[PAGE - 20], payload[];
};

typedef uint64_t integers(uint64_t, uint64_t, uint64_t);
static struct lane *requests, *replies;
static integers *functions[16];
static uint32_t bound;

static struct lane *map(int descriptor, size_t size, int protection) {
	char *half = mmap(NULL, size, protection, MAP_SHARED, descriptor, 0);
	if (half == MAP_FAILED) _exit(1);
	close(descriptor);
	/* The first page of a half belongs to no lane. */
	return (struct lane *)(half + PAGE);
}

static void reply(uint32_t sequence, uint32_t status, uint32_t length) {
	replies->verb = status;
	replies->length = length;
	replies->sequence = sequence;
	if (requests->sleeps) syscall(SYS_futex, &replies->sequence, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void next(uint32_t last) {
	while (requests->sequence == last) {
		replies->sleeps = 1;
		if (requests->sequence == last) syscall(SYS_futex, &requests->sequence, FUTEX_WAIT, last, NULL, NULL, 0);
		replies->sleeps = 0;
	}
}

/* Payload of a request to bind: the result's type, how many parameters, their types, the name. */
static uint32_t bind(void *plugin, uint32_t length, uint32_t *answer) {
	char name[256] = { 0 };
	uint32_t front = 2 + requests->payload[1];
	if (length < front || length - front >= sizeof name || bound == 16) return MALFORMED;
	memcpy(name, requests->payload + front, length - front);
	functions[bound] = (integers *)dlsym(plugin, name);
	if (!functions[bound]) return NO_SYMBOL;
	memcpy(replies->payload, &bound, sizeof bound);
	bound++;
	*answer = sizeof bound;
	return DONE;
}

static uint32_t call(uint32_t function, uint32_t *answer) {
	uint64_t words[3];
	if (function >= bound) return MALFORMED;
	memcpy(words, requests->payload, sizeof words);
	uint64_t result = functions[function](words[0], words[1], words[2]);
	memcpy(replies->payload, &result, sizeof result);
	/* RESULT_BYTES: room for a string's place behind the result. */
	*answer = 16;
	return DONE;
}

int main(int count, char **words) {
	if (count != 5) return 2;
	size_t message = (strtoul(words[2], NULL, 10) + PAGE - 1) / PAGE * PAGE;
	uint32_t sequence = strtoul(words[3], NULL, 10);
	requests = map(REQUESTS, 2 * PAGE + message, PROT_READ);
	replies = map(REPLIES, 2 * PAGE + message, PROT_READ | PROT_WRITE);
	void *plugin = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
	if (!plugin) {
		reply(sequence, NOT_MAPPED, 0);
		return 1;
	}
	uint64_t bias = ((struct link_map *)plugin)->l_addr;
	memcpy(replies->payload, &bias, sizeof bias);
	reply(sequence, DONE, sizeof bias);
	for (;;) {
		next(sequence);
		sequence = requests->sequence;
		uint32_t answer = 0, status = MALFORMED;
		if (requests->verb == BIND) status = bind(plugin, requests->length, &answer);
		if (requests->verb == CALL) status = call(requests->function, &answer);
		reply(sequence, status, answer);
	}
}
