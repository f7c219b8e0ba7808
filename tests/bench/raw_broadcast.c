/*
 * The baseline of the broadcast figures: a plain loop of send() of the same bytes to every receiver.
 * Usage: raw_broadcast PORT CONTROL_PORT PAYLOAD_BYTES
 *
 * Receivers connect to PORT. Who connects to CONTROL_PORT sends 4-byte little-endian numbers: K > 0 asks for K
 * rounds, 0 for one line of JSON with the rounds so far and the CPU time (getrusage) that their loops took.
 */
#include "raw_common.h"

#include <sys/resource.h>

static int* receivers;
static size_t receiver_count;
static uint64_t rounds;
static double cpu_seconds;
static char* payload;
static size_t payload_bytes;

static double cpu_now(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void broadcast(uint32_t count) {
    double before = cpu_now();
    for (uint32_t round = 0; round < count; ++round) {
        for (size_t i = 0; i < receiver_count; ++i) {
            if (send(receivers[i], payload, payload_bytes, MSG_NOSIGNAL) != (ssize_t)payload_bytes)
                die("send to a receiver that left or does not read");
        }
    }
    cpu_seconds += cpu_now() - before;
    rounds += count;
}

static void report(int control) {
    char line[160];
    int size = snprintf(line, sizeof line, "{\"rounds\": %llu, \"receivers\": %zu, \"cpu_seconds\": %.6f}\n",
                        (unsigned long long)rounds, receiver_count, cpu_seconds);
    if (send(control, line, (size_t)size, MSG_NOSIGNAL) != size) die("send the report");
}

/* False when the control connection has ended. */
static int obey(int control) {
    uint32_t commands[256];
    ssize_t received = recv(control, commands, sizeof commands, 0);
    if (received <= 0) return received < 0 && errno == EAGAIN;
    if (received % (ssize_t)sizeof *commands != 0) {
        fprintf(stderr, "control: a command is a whole 4-byte number\n");
        exit(1);
    }
    for (size_t i = 0; i < (size_t)received / sizeof *commands; ++i) {
        if (commands[i] == 0)
            report(control);
        else
            broadcast(commands[i]);
    }
    return 1;
}

/* Only a receiver that leaves wakes the loop; then all go, and the next measurement begins with new ones. */
static void forget_receivers(void) {
    for (size_t i = 0; i < receiver_count; ++i) close(receivers[i]);
    receiver_count = 0;
    rounds = 0;
    cpu_seconds = 0;
}

int main(int count, char** arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: raw_broadcast PORT CONTROL_PORT PAYLOAD_BYTES\n");
        return 2;
    }
    payload_bytes = strtoul(arguments[3], NULL, 10);
    payload = calloc(1, payload_bytes + 1);
    receivers = calloc((size_t)sysconf(_SC_OPEN_MAX), sizeof *receivers);
    if (payload == NULL || receivers == NULL) die("calloc");
    memset(payload, 'x', payload_bytes);
    int listener = listen_on(arguments[1]);
    int control_listener = listen_on(arguments[2]);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN);
    watch(poller, EPOLL_CTL_ADD, control_listener, EPOLLIN);
    int control = -1;
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(poller, &event, 1, -1) != 1) continue;
        int client;
        if (event.data.fd == listener) {
            while ((client = accept_next(listener)) >= 0) {
                watch(poller, EPOLL_CTL_ADD, client, EPOLLRDHUP);
                receivers[receiver_count++] = client;
            }
        } else if (event.data.fd == control_listener) {
            if ((client = accept_next(control_listener)) >= 0) {
                watch(poller, EPOLL_CTL_ADD, client, EPOLLIN);
                control = client;
            }
        } else if (event.data.fd != control) {
            forget_receivers();
        } else if (!obey(control)) {
            close(control);
            control = -1;
            forget_receivers();
        }
    }
}
