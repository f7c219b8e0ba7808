/* What the raw baseline programs share: sockets, an epoll helper and a growing buffer. */
#ifndef BENCH_RAW_COMMON_H
#define BENCH_RAW_COMMON_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { listen_backlog = 4096, read_bytes_max = 64 * 1024, events_max = 512 };

static inline void die(const char* what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static inline void set_no_delay(int socket) {
    int one = 1;
    if (setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die("setsockopt TCP_NODELAY");
}

static inline struct sockaddr_in loopback(const char* port) {
    char* end = NULL;
    long number = strtol(port, &end, 10);
    if (*port == '\0' || *end != '\0' || number < 1 || number > 65535) {
        fprintf(stderr, "port '%s': expected a number from 1 to 65535\n", port);
        exit(2);
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static inline int listen_on(const char* port) {
    struct sockaddr_in address = loopback(port);
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) die("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0) die("bind");
    if (listen(listener, listen_backlog) != 0) die("listen");
    return listener;
}

static inline void watch(int poller, int operation, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    if (epoll_ctl(poller, operation, descriptor, &event) != 0) die("epoll_ctl");
}

/* The next waiting connection, non-blocking and without delay, or -1 when there is none. */
static inline int accept_next(int listener) {
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) {
        set_no_delay(client);
        return client;
    }
    if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return -1;
    die("accept4");
    return -1;
}

/* Bytes from data + start to data + end are waiting; the room is kept when they are gone. */
struct buffer {
    char* data;
    size_t start, end, capacity;
};

static inline size_t buffer_size(const struct buffer* buffer) { return buffer->end - buffer->start; }

/* Room for more bytes at the end. */
static inline char* buffer_reserve(struct buffer* buffer, size_t more) {
    if (buffer->end + more > buffer->capacity && buffer->start > 0) {
        memmove(buffer->data, buffer->data + buffer->start, buffer_size(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->end + more > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : 256;
        while (capacity < buffer->end + more) capacity *= 2;
        buffer->data = realloc(buffer->data, capacity);
        if (buffer->data == NULL) die("realloc");
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->end;
}

static inline void buffer_append(struct buffer* buffer, const void* bytes, size_t count) {
    memcpy(buffer_reserve(buffer, count), bytes, count);
    buffer->end += count;
}

static inline void buffer_consume(struct buffer* buffer, size_t count) {
    buffer->start += count;
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
}

#endif
