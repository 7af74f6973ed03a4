/* The floor: what it costs to hand one event to N websockets when nothing else is done.
 *
 * Usage: floor WEBSOCKET_PORT EVENT_PORT [coalesce]
 *
 * Accepts websocket handshakes on the first port (the path is the number of a group, the answer
 * fits the one key that the load client uses) and events on the second: group and length, four
 * bytes each in network order, then the payload. Each event is framed once (RFC 6455, section 5.2)
 * and given to each socket of its group by one send(2). With "coalesce" the events that came in one
 * read are one send(2) to each socket, which is what a server may do with a burst.
 *
 * No broker, no subscriptions, no limits, no slow readers: a send that would block ends the program.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUPS 16
#define MEMBERS 20000
#define EVENT_LIMIT 65535
#define INPUT_SIZE (1 << 21)

/* For the key dGhlIHNhbXBsZSBub25jZQ== (RFC 6455, section 1.3). */
static const char ANSWER[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static int members[GROUPS][MEMBERS];
static int count[GROUPS];

static unsigned char input[INPUT_SIZE];
static size_t held;

/* Frames that wait for the end of a read, by group; written at once without "coalesce". */
static unsigned char frames[GROUPS][INPUT_SIZE + INPUT_SIZE / 4];
static size_t framed[GROUPS];

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096))
        err(1, "listen on port %d", port);
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        err(1, "epoll_ctl");
}

static void flush(int group)
{
    ssize_t size = framed[group];
    framed[group] = 0;
    for (int i = 0; size && i < count[group]; i++)
        if (send(members[group][i], frames[group], size, MSG_DONTWAIT | MSG_NOSIGNAL) != size)
            errx(1, "a socket did not take the whole event");
}

static void frame(int group, const unsigned char *payload, uint32_t length)
{
    unsigned char *to = frames[group] + framed[group];
    *to++ = 0x81;
    if (length < 126) {
        *to++ = length;
    } else {
        *to++ = 126;
        *to++ = length >> 8;
        *to++ = length;
    }
    memcpy(to, payload, length);
    framed[group] = to + length - frames[group];
}

/* Returns 0 when the publisher has gone. */
static int take_events(int fd, int coalesce)
{
    ssize_t got = read(fd, input + held, sizeof input - held);
    if (got <= 0) {
        held = 0;
        close(fd);
        return 0;
    }
    held += got;
    size_t at = 0;
    while (held - at >= 8) {
        uint32_t group = ntohl(*(uint32_t *)(input + at));
        uint32_t length = ntohl(*(uint32_t *)(input + at + 4));
        if (group >= GROUPS || length > EVENT_LIMIT)
            errx(1, "an event that cannot be");
        if (held - at - 8 < length)
            break;
        frame(group, input + at + 8, length);
        at += 8 + length;
        if (!coalesce)
            flush(group);
    }
    held -= at;
    memmove(input, input + at, held);
    for (int group = 0; group < GROUPS; group++)
        flush(group);
    return 1;
}

static void leave(int fd)
{
    for (int group = 0; group < GROUPS; group++)
        for (int i = 0; i < count[group]; i++)
            if (members[group][i] == fd)
                members[group][i] = members[group][--count[group]];
    close(fd);
}

/* A handshake, which comes in one segment on loopback, or the end of a connection. */
static void take_request(int fd)
{
    char request[4096];
    ssize_t got = read(fd, request, sizeof request - 1);
    if (got <= 0) {
        leave(fd);
        return;
    }
    request[got] = 0;
    int group;
    if (sscanf(request, "GET /%d HTTP/1.1\r\n", &group) != 1 || group < 0 || group >= GROUPS ||
        count[group] == MEMBERS || !strstr(request, "\r\n\r\n"))
        errx(1, "a request that cannot be");
    if (send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) != sizeof ANSWER - 1)
        err(1, "send");
    members[group][count[group]++] = fd;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: floor WEBSOCKET_PORT EVENT_PORT [coalesce]");
    int websockets = listen_on(atoi(argv[1])), events = listen_on(atoi(argv[2]));
    int coalesce = argc > 3 && !strcmp(argv[3], "coalesce"), publisher = -1, on = 1;
    int epoll = epoll_create1(0);
    watch(epoll, websockets);
    watch(epoll, events);
    for (;;) {
        struct epoll_event ready[64];
        int n = epoll_wait(epoll, ready, 64, -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            if (fd == publisher) {
                if (!take_events(fd, coalesce))
                    publisher = -1;
            } else if (fd == websockets || fd == events) {
                int accepted = accept(fd, NULL, NULL);
                if (accepted < 0)
                    err(1, "accept");
                setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                watch(epoll, accepted);
                if (fd == events)
                    publisher = accepted;
            } else {
                take_request(fd);
            }
        }
    }
}
