/* A cell program that does as it is told until there is a cell, and then what cell() says. Its standard input is the socket
 * of the host; cell() has the control socket of the cell there. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static char message[1 << 17];

/* The life of the cell, or with OWN_ANSWER what is answered to the order of one. */
static void cell(void);
#ifdef OWN_ANSWER
static void answer(int control);
#endif

/* Receives a message, and returns the descriptor at a place among those that came with it. */
static int receive_one_of(int place) {
	char space[CMSG_SPACE(253 * sizeof(int))];
	struct iovec whole = { message, sizeof message };
	struct msghdr order = { .msg_iov = &whole, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	if (recvmsg(0, &order, 0) <= 0) _exit(0);
	int descriptor = -1;
	if (CMSG_FIRSTHDR(&order))
		memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&order)) + place * sizeof descriptor, sizeof descriptor);
	return descriptor;
}

static int receive(void) { return receive_one_of(0); }

/* What a cell is told; then its half of the region, where region.rs has its words: number, sleeps, status, -, length. */
static volatile uint32_t *receive_region(void) {
	char *half = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, receive_one_of(2), 0);
	if (half == MAP_FAILED) _exit(1);
	return (volatile uint32_t *)(half + 4096);
}

/* Answers with one word and a descriptor. */
static void word(const char *bytes, int length, int descriptor) {
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec whole = { (void *)bytes, length };
	struct msghdr answer = { .msg_iov = &whole, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&answer);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof descriptor);
	memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
	sendmsg(0, &answer, 0);
}

int main(void) {
	receive();
	/* Ready: no namespaces. */
	send(0, "\0\0\0\0\0\0\0", 7, 0);
	for (;;) {
		int control = receive(), pidfd = -1;
#ifdef OWN_ANSWER
		answer(control);
		close(control);
		continue;
#endif
		struct clone_args arguments = { .flags = CLONE_PARENT | CLONE_PIDFD, .pidfd = (unsigned long)&pidfd };
		if (syscall(SYS_clone3, &arguments, sizeof arguments) == 0) {
			dup2(control, 0);
			cell();
			_exit(0);
		}
		close(control);
		word("\2", 1, pidfd);
		close(pidfd);
	}
}
