/*
 * The baseline of the two-process figures: a minimal framed relay over epoll with one multiplexed link.
 * Usage: raw_relay backend PORT, then raw_relay gateway PORT BACKEND_PORT
 *
 * A client's frame is a 4-byte little-endian length and as many bytes. On the link the same frame carries the
 * client's 4-byte connection number before its bytes (and the length counts it). Every turn of the loop reads
 * what is there, handles each whole frame, and sends once for each peer that has something waiting.
 */
#include "raw_common.h"

enum { frame_bytes_max = 64 * 1024 };

struct peer {
    struct buffer in;  /* an unfinished frame */
    struct buffer out; /* frames waiting for the end of the turn, or for a full socket */
    int open, dirty, blocked;
};

static struct peer* peers; /* by descriptor */
static int* dirty;         /* descriptors with something to send at the end of this turn */
static int dirty_count;
static size_t descriptors_max;
static int poller;
static int link_to_backend = -1; /* the gateway's; -1 in the backend */
static char bytes[4 * read_bytes_max];

static void drop(int descriptor) {
    if (descriptor == link_to_backend) {
        fprintf(stderr, "the backend closed the link\n");
        exit(1);
    }
    struct peer* peer = &peers[descriptor];
    free(peer->in.data);
    free(peer->out.data);
    *peer = (struct peer){0};
    close(descriptor);
}

static void mark_dirty(int descriptor) {
    if (peers[descriptor].dirty || peers[descriptor].blocked) return;
    peers[descriptor].dirty = 1;
    dirty[dirty_count++] = descriptor;
}

static void append_frame(int descriptor, const uint32_t* connection, const char* body, uint32_t size) {
    struct buffer* out = &peers[descriptor].out;
    uint32_t length = size + (connection ? (uint32_t)sizeof *connection : 0);
    buffer_append(out, &length, sizeof length);
    if (connection) buffer_append(out, connection, sizeof *connection);
    buffer_append(out, body, size);
    mark_dirty(descriptor);
}

/* One whole frame: the backend echoes it, the gateway passes it on or back. False when it makes no sense. */
static int handle(int from, const char* body, uint32_t size) {
    if (link_to_backend < 0) {
        append_frame(from, NULL, body, size);
        return 1;
    }
    if (from != link_to_backend) {
        uint32_t connection = (uint32_t)from;
        append_frame(link_to_backend, &connection, body, size);
        return 1;
    }
    uint32_t connection;
    if (size < sizeof connection) return 0;
    memcpy(&connection, body, sizeof connection);
    if (connection < descriptors_max && peers[connection].open) /* it may have left meanwhile */
        append_frame((int)connection, NULL, body + sizeof connection, size - (uint32_t)sizeof connection);
    return 1;
}

/* Handles the whole frames at the start; gives how many bytes they took, or -1 for nonsense. */
static ssize_t handle_all(int from, const char* data, size_t size) {
    size_t used = 0;
    uint32_t length;
    while (size - used >= sizeof length) {
        memcpy(&length, data + used, sizeof length);
        if (length > frame_bytes_max) return -1;
        if (size - used - sizeof length < length) break;
        if (!handle(from, data + used + sizeof length, length)) return -1;
        used += sizeof length + length;
    }
    return (ssize_t)used;
}

static int receive(int descriptor) {
    struct buffer* in = &peers[descriptor].in;
    ssize_t received = recv(descriptor, bytes, sizeof bytes, 0);
    if (received <= 0) return received < 0 && errno == EAGAIN;
    if (buffer_size(in) == 0) { /* the common case: whole frames, handled where they were read */
        ssize_t used = handle_all(descriptor, bytes, (size_t)received);
        if (used >= 0 && used < received) buffer_append(in, bytes + used, (size_t)(received - used));
        return used >= 0;
    }
    buffer_append(in, bytes, (size_t)received);
    ssize_t used = handle_all(descriptor, in->data + in->start, buffer_size(in));
    if (used > 0) buffer_consume(in, (size_t)used);
    return used >= 0;
}

static int flush(int descriptor) {
    struct peer* peer = &peers[descriptor];
    ssize_t sent = send(descriptor, peer->out.data + peer->out.start, buffer_size(&peer->out), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent > 0) buffer_consume(&peer->out, (size_t)sent);
    int blocked = buffer_size(&peer->out) > 0;
    if (blocked != peer->blocked) watch(poller, EPOLL_CTL_MOD, descriptor, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    peer->blocked = blocked;
    return 1;
}

static void add_peer(int descriptor) {
    peers[descriptor].open = 1;
    watch(poller, EPOLL_CTL_ADD, descriptor, EPOLLIN);
}

static void turn(int listener) {
    struct epoll_event events[events_max];
    int ready = epoll_wait(poller, events, events_max, -1);
    for (int i = 0; i < ready; ++i) {
        int descriptor = events[i].data.fd;
        if (descriptor == listener) {
            int client;
            while ((client = accept_next(listener)) >= 0) add_peer(client);
            continue;
        }
        int alive = 1;
        if (events[i].events & EPOLLOUT) alive = flush(descriptor);
        if (alive && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) alive = receive(descriptor);
        if (!alive) drop(descriptor);
    }
    for (int i = 0; i < dirty_count; ++i) {
        struct peer* peer = &peers[dirty[i]];
        if (!peer->dirty) /* dropped in this turn */
            continue;
        peer->dirty = 0;
        if (!flush(dirty[i])) drop(dirty[i]);
    }
    dirty_count = 0;
}

static int connect_to(const char* port) {
    struct sockaddr_in address = loopback(port);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr*)&address, sizeof address) != 0)
        die("connect to the backend");
    set_no_delay(descriptor);
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    return descriptor;
}

int main(int count, char** arguments) {
    int gateway = count == 4 && strcmp(arguments[1], "gateway") == 0;
    int backend = count == 3 && strcmp(arguments[1], "backend") == 0;
    if (!gateway && !backend) {
        fprintf(stderr, "usage: raw_relay gateway PORT BACKEND_PORT | raw_relay backend PORT\n");
        return 2;
    }
    descriptors_max = (size_t)sysconf(_SC_OPEN_MAX);
    peers = calloc(descriptors_max, sizeof *peers);
    dirty =
        calloc(descriptors_max * 2, sizeof *dirty); /* a number dropped and accepted again in one turn is in it twice */
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (peers == NULL || dirty == NULL || poller < 0) die("start");
    if (gateway) {
        link_to_backend = connect_to(arguments[3]);
        add_peer(link_to_backend);
    }
    int listener = listen_on(arguments[2]);
    watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) turn(listener);
}
