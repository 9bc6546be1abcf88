/* Sends a descriptor over an inherited socket, to make the other side hold a file of its choice. */
#include "act.h"
#include <string.h>
#include <sys/socket.h>
static int act(void) {
	char byte = 0;
	struct iovec data = { &byte, 1 };
	union { struct cmsghdr head; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	return outcome(sendmsg(0, &message, MSG_NOSIGNAL));
}
