/* Opens a file without end from threads of a constructor, to be there when the filters change. */
/* permitted by: files.read /etc/passwd */
#include "act.h"
#include <fcntl.h>
#include <pthread.h>
static int came = 1;
static void *other(void *nothing) {
	for (;;) {
		int fd = open("/etc/passwd", O_RDONLY);
		if (fd >= 0) came = 0;
		if (fd >= 0) close(fd);
		else if (errno != EACCES) came = -errno;
	}
	return nothing;
}
__attribute__((constructor)) static void start(void) {
	pthread_t thread;
	for (int count = 0; count < 4; count++) pthread_create(&thread, NULL, other, NULL);
}
static int act(void) {
	while (came == 1) usleep(1000);
	return came;
}
