/* Loads a BPF program, which runs in the kernel and was a way to root more than once. */
#include "act.h"
static int act(void) {
	char attributes[128] = { 0 };
	return outcome(syscall(SYS_bpf, 5, attributes, sizeof attributes));
}
