/* A cell program that answers with bytes that are no message. */
#include <string.h>
#include <sys/socket.h>
static char message[1 << 17];
int main(void) {
	recv(0, message, sizeof message, 0);
	memset(message, 0xff, sizeof message);
	send(0, message, 4096, 0);
	recv(0, message, sizeof message, 0);
	return 0;
}
