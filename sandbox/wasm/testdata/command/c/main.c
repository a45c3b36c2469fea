// Turns its standard input into upper case. Without a C library, so that no more than
// a compiler is needed: what a library's _start does is done here.
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(name)))

typedef unsigned long size;
typedef struct {
	unsigned char *bytes;
	size count;
} vector;

WASI("fd_read") int fd_read(int fd, const vector *to, size count, size *moved);
WASI("fd_write") int fd_write(int fd, const vector *from, size count, size *moved);
WASI("proc_exit") _Noreturn void proc_exit(int code);

static unsigned char text[512];

void _start(void) {
	for (;;) {
		vector v = {text, sizeof text};
		size n = 0;
		if (fd_read(0, &v, 1, &n) != 0)
			proc_exit(1);
		if (n == 0)
			proc_exit(0);
		for (size i = 0; i < n; i++)
			if (text[i] >= 'a' && text[i] <= 'z')
				text[i] -= 'a' - 'A';
		v.count = n;
		if (fd_write(1, &v, 1, &n) != 0)
			proc_exit(2);
	}
}
