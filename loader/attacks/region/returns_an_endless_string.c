/* Returns a string whose end lies outside of every message. */
/* called as: returns_an_endless_string() -> cstr */
#include "act.h"
const char *returns_an_endless_string(void) {
	static char text[1 << 22];
	for (size_t at = 0; at + 1 < sizeof text; at++) text[at] = 'x';
	return text;
}
static int act(void) { return 0; }
