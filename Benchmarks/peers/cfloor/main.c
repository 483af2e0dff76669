/* The floor of `GET /`: what an epoll server pays for a request even when it does no HTTP. A thread per core, each with
 * its listener and its epoll set; one read, a look at the last four bytes, one write of a constant answer. It reads no
 * request line and no field, so it is a bound and no server. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS = 64,
    EVENTS = 256,
    READ_BYTES = 16384,
    LINE_BYTES = 256,
    LOG_BYTES = 65536, /* lines are written out in blocks of this size, or after a second */
    TURN_MS = 500,     /* how late a thread may see that it shall stop */
};

static const char body[] = "{\"service\":\"items\",\"version\":\"1.0.0\"}";
static volatile sig_atomic_t stopping;
static in_port_t port;
static int logs;

struct worker {
    int epoll, listener;
    time_t second;  /* of `answer` */
    char answer[512];
    size_t answer_length;
    char log[LOG_BYTES];
    size_t log_length;
    double flushed;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void flush(struct worker *w)
{
    for (size_t at = 0; at < w->log_length;) {
        ssize_t count = write(STDOUT_FILENO, w->log + at, w->log_length - at);
        if (count < 0 && errno != EINTR) break;
        if (count > 0) at += (size_t)count;
    }
    w->log_length = 0;
}

static void record(struct worker *w, double began)
{
    if (!logs) return;
    if (w->log_length > LOG_BYTES - LINE_BYTES) flush(w);
    w->log_length += (size_t)snprintf(
        w->log + w->log_length, LINE_BYTES,
        "{\"timestamp\":%lld,\"level\":\"INFO\",\"method\":\"GET\",\"path\":\"/\",\"status\":200,"
        "\"response_time_ms\":%.3f}\n",
        (long long)w->second, (now() - began) * 1000);
}

/* The answer changes with its Date alone, so once a second. */
static void prepare(struct worker *w)
{
    time_t second = time(NULL);
    if (second == w->second) return;
    w->second = second;
    char date[64];
    struct tm utc;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&second, &utc));
    w->answer_length = (size_t)snprintf(
        w->answer, sizeof w->answer,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nDate: %s\r\n\r\n%s",
        sizeof body - 1, date, body);
}

static void watch(struct worker *w, int socket)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
    epoll_ctl(w->epoll, EPOLL_CTL_ADD, socket, &event);
}

static void accept_all(struct worker *w)
{
    int client, on = 1;
    while ((client = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(w, client);
    }
}

static void answer(struct worker *w, int client, double began)
{
    char request[READ_BYTES];
    ssize_t count = read(client, request, sizeof request);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 4 || memcmp(request + count - 4, "\r\n\r\n", 4) ||
        write(client, w->answer, w->answer_length) != (ssize_t)w->answer_length) {
        close(client);
        return;
    }
    record(w, began);
}

static void *serve(void *unused)
{
    (void)unused;
    struct worker *w = calloc(1, sizeof *w);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(w->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(w->listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(w->listener, (struct sockaddr *)&address, sizeof address) || listen(w->listener, 4096)) {
        perror("cfloor: listen");
        exit(1);
    }
    watch(w, w->listener);
    struct epoll_event events[EVENTS];
    while (!stopping) {
        int count = epoll_wait(w->epoll, events, EVENTS, TURN_MS);
        double began = now();
        prepare(w);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == w->listener) accept_all(w);
            else answer(w, events[i].data.fd, began);
        }
        if (began - w->flushed > 1) {
            flush(w);
            w->flushed = began;
        }
    }
    flush(w);
    return NULL;
}

static void stop(int signal)
{
    (void)signal;
    stopping = 1;
}

int main(void)
{
    const char *given = getenv("PORT"), *access = getenv("ACCESS_LOG");
    port = htons((in_port_t)(given ? atoi(given) : 5001));
    logs = !access || strcmp(access, "0");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int count = cores < THREADS ? (int)cores : THREADS;
    pthread_t threads[THREADS];
    for (int i = 1; i < count; i++) pthread_create(&threads[i], NULL, serve, NULL);
    serve(NULL);
    for (int i = 1; i < count; i++) pthread_join(threads[i], NULL);
}
