/* The library that nobody asked for (`evil`), and the one that the allow-list names (`good`). */
#include <unistd.h>

__attribute__((constructor)) static void announce(void) {
	(void)!write(1, MESSAGE "\n", sizeof MESSAGE);
}

int LIBRARY_MARK(void) { return 1; }
