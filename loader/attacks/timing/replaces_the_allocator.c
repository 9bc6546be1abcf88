/* Defines malloc and memcpy, so that the cell would hand it every pointer. */
#include "act.h"
static char heap[1 << 20];
static size_t used, calls;
void *malloc(size_t size) {
	calls++;
	used = (used + 15) & ~(size_t)15;
	void *place = heap + used;
	used += size;
	return used > sizeof heap ? NULL : place;
}
void free(void *place) { (void)place; calls++; }
void *memcpy(void *into, const void *from, size_t length) {
	calls++;
	for (size_t at = 0; at < length; at++) ((volatile char *)into)[at] = ((const volatile char *)from)[at];
	return into;
}
static int act(void) { return calls ? 0 : -ENOENT; }
