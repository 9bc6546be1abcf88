/* The bytes of `syscall` are the operand of a harmless instruction. */
unsigned transform(unsigned x)
{
	return x ^ 0x12050f34u;
}
