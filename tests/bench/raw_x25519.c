/*
 * What encryption costs a login at the least: the key agreement of the gateway's side of a handshake (a fresh key pair
 * and two shared secrets), with the library that the server uses, and nothing else.
 * Usage: raw_x25519 SECONDS; prints one line of JSON.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double cpu_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int count, char** arguments) {
    double seconds = count == 2 ? strtod(arguments[1], NULL) : 0;
    if (seconds <= 0 || sodium_init() < 0) {
        fprintf(stderr, "usage: raw_x25519 SECONDS\n");
        return 2;
    }
    unsigned char own[32], ephemeral[32], public[32], other[32], shared[32];
    randombytes_buf(own, sizeof own);
    randombytes_buf(other, sizeof other);
    crypto_scalarmult_base(other, other);
    unsigned long handshakes = 0;
    double started = cpu_now(), spent = 0;
    for (; spent < seconds; spent = cpu_now() - started) {
        randombytes_buf(ephemeral, sizeof ephemeral);
        crypto_scalarmult_base(public, ephemeral);
        if (crypto_scalarmult(shared, ephemeral, other) != 0 || crypto_scalarmult(shared, own, other) != 0) return 1;
        ++handshakes;
    }
    printf("{\"handshakes\": %lu, \"cpu_seconds\": %.6f}\n", handshakes, spent);
    return 0;
}
