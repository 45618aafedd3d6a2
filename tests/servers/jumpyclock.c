/* jumpyclock: a wall clock that jumps by a day, back and forth, every few times it is read.
 *
 *   cc -O2 -shared -fPIC -o jumpyclock.so jumpyclock.c -ldl;  LD_PRELOAD=./jumpyclock.so PROGRAM
 *
 * The steady clock is left alone, as it is when somebody sets the time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>

static time_t jump(void) {
    static atomic_int reads;
    static const int days[] = {0, 1, -1, 0, -3, 2};
    return days[atomic_fetch_add(&reads, 1) / 3 % 6] * 86400;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
    static int (*real)(clockid_t, struct timespec*);
    if (!real) real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += jump();
    return result;
}

int gettimeofday(struct timeval* now, void* zone) {
    (void)zone;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    now->tv_sec = t.tv_sec;
    now->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}
