/* A cell program that says it is confined, and is not. */
#include <sys/socket.h>
#include <unistd.h>
static char message[1 << 17];
int main(void) {
	recv(0, message, sizeof message, 0);
	send(0, "\0", 1, 0);
	recv(0, message, sizeof message, 0);
	return 0;
}
