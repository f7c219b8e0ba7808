/* The baseline of all request figures: a raw epoll server that writes back what it reads. Usage: raw_echo PORT */
#include "raw_common.h"

static struct buffer* unsent; /* by descriptor: what a full socket did not take */
static char bytes[read_bytes_max];

static void drop(int client) {
    free(unsent[client].data);
    unsent[client] = (struct buffer){0};
    close(client);
}

/* False when the connection is broken. */
static int flush(int poller, int client) {
    struct buffer* rest = &unsent[client];
    ssize_t sent = send(client, rest->data + rest->start, buffer_size(rest), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    buffer_consume(rest, (size_t)sent);
    if (buffer_size(rest) == 0) watch(poller, EPOLL_CTL_MOD, client, EPOLLIN);
    return 1;
}

static int echo(int poller, int client) {
    ssize_t received = recv(client, bytes, sizeof bytes, 0);
    if (received <= 0) return received < 0 && errno == EAGAIN;
    ssize_t sent = send(client, bytes, (size_t)received, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent < 0) sent = 0;
    if (sent < received) { /* stop reading until the client has taken the rest */
        buffer_append(&unsent[client], bytes + sent, (size_t)(received - sent));
        watch(poller, EPOLL_CTL_MOD, client, EPOLLOUT);
    }
    return 1;
}

int main(int count, char** arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: raw_echo PORT\n");
        return 2;
    }
    int descriptors_max = (int)sysconf(_SC_OPEN_MAX);
    unsent = calloc((size_t)descriptors_max, sizeof *unsent);
    int listener = listen_on(arguments[1]);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    if (unsent == NULL || poller < 0) die("start");
    watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN);
    struct epoll_event events[events_max];
    for (;;) {
        int ready = epoll_wait(poller, events, events_max, -1);
        for (int i = 0; i < ready; ++i) {
            int descriptor = events[i].data.fd;
            if (descriptor == listener) {
                int client;
                while ((client = accept_next(listener)) >= 0) watch(poller, EPOLL_CTL_ADD, client, EPOLLIN);
                continue;
            }
            int alive = buffer_size(&unsent[descriptor]) > 0 ? flush(poller, descriptor) : echo(poller, descriptor);
            if (!alive) drop(descriptor);
        }
    }
}
