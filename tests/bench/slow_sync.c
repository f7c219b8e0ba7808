/*
 * Makes every fsync and fdatasync take a stated time longer (LD_PRELOAD): some disks answer a sync from their cache,
 * and then a storage figure says nothing about how well commits are grouped. Units: BENCH_SYNC_MICROS
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int slow(const char* name, int descriptor) {
    int (*real)(int);
    *(void**)&real = dlsym(RTLD_NEXT, name);
    const char* text = getenv("BENCH_SYNC_MICROS");
    long micros = text ? atol(text) : 0;
    struct timespec rest = {.tv_sec = micros / 1000000, .tv_nsec = micros % 1000000 * 1000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
    return real(descriptor);
}

int fsync(int descriptor) { return slow("fsync", descriptor); }

int fdatasync(int descriptor) { return slow("fdatasync", descriptor); }
