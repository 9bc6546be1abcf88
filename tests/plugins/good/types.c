/* Every type of the signature language, there and back. */
#include <stdint.h>
#include <string.h>
uint8_t u8(uint8_t x) { return x; }
int8_t i8(int8_t x) { return x; }
uint16_t u16(uint16_t x) { return x; }
int16_t i16(int16_t x) { return x; }
uint32_t u32(uint32_t x) { return x; }
int32_t i32(int32_t x) { return x; }
uint64_t u64(uint64_t x) { return x; }
int64_t i64(int64_t x) { return x; }
float f32(float x) { return x; }
double f64(double x) { return x; }
const char *greet(const char *name) {
	static char text[64];
	strcpy(text, "hello ");
	strncat(text, name, 40);
	return text;
}
const char *nothing(void) { return NULL; }
int sum(const int32_t *numbers, uint64_t count) {
	int total = 0;
	for (uint64_t at = 0; at < count; at++) total += numbers[at];
	return total;
}
void reverse(uint8_t *bytes, uint32_t length) {
	for (uint32_t at = 0; at < length / 2; at++) {
		uint8_t kept = bytes[at];
		bytes[at] = bytes[length - 1 - at];
		bytes[length - 1 - at] = kept;
	}
}
int squares(double *into, uint32_t count, uint32_t *written) {
	for (uint32_t at = 0; at < count; at++) into[at] = (double)at * at;
	*written = count;
	return 0;
}
void count_up(uint64_t *counter) { ++*counter; }
double mix(int8_t a, double b, uint16_t c, float d, int64_t e, uint8_t f, int32_t g, float h, uint64_t i, double j) {
	return a + b + c + d + e + f + g + h + i + j;
}
