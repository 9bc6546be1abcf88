/* Installs a filter of its own that answers the cell's calls with success before they are made. */
#include "act.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
static int act(void) {
	struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	struct sock_fprog filter = { 1, &allow };
	return outcome(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter));
}
