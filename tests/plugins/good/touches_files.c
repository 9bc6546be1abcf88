#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes read, or the negative errno. */
int64_t read_file(const char *path, unsigned char *into, uint64_t length) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -errno;
	int64_t count = read(fd, into, length);
	if (count < 0) count = -errno;
	close(fd);
	return count;
}

/* Bytes written, or the negative errno. */
int64_t write_file(const char *path, const unsigned char *from, uint64_t length) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) return -errno;
	int64_t count = write(fd, from, length);
	if (count < 0) count = -errno;
	close(fd);
	return count;
}

/* 0, or the negative errno. */
int connect_to(uint16_t port) {
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return -errno;
	int error = connect(fd, (struct sockaddr *)&there, sizeof there) < 0 ? -errno : 0;
	close(fd);
	return error;
}
