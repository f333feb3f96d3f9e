/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program of the built-in image (`dray run hello`): no libc, a few KB, so that it can
 * be carried inside dray. Linux only, x86_64 and aarch64.
 */
static long call3(long number, long a, const void *b, long c)
{
    long result;
#if defined(__x86_64__)
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register const void *x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    result = x0;
#else
#error "hello: unknown architecture"
#endif
    return result;
}

#if defined(__x86_64__)
enum { CALL_WRITE = 1, CALL_EXIT = 60 };
#else
enum { CALL_WRITE = 64, CALL_EXIT = 93 };
#endif

static const char text[] =
    "Hello from a container that dray runs.\n"
    "\n"
    "What just happened, without a daemon and without a network:\n"
    " 1. dray started its helper on the target and sent it this image, which is built "
    "in.\n"
    " 2. The helper unpacked the layer, mounted it, and wrote an OCI bundle.\n"
    " 3. An OCI runtime on the target ran the bundle; a small monitor waits for its "
    "end.\n"
    " 4. These lines came back over the same connection.\n"
    "\n"
    "Next:  dray run --rm alpine echo hi      dray ps -a      dray help\n";

void _start(void);
void _start(void)
{
    long status = call3(CALL_WRITE, 1, text, sizeof text - 1) == sizeof text - 1 ? 0 : 1;
    for (;;)
        call3(CALL_EXIT, status, 0, 0);
}
