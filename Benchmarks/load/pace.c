/* Requests at a fixed rate: pace PORT RATE CONNECTIONS SECONDS ROWS. Prints one line of JSON.
 *
 * Request number i is due at i / RATE and is sent on connection i mod CONNECTIONS. Its latency is measured from when it was
 * due, not from when it was sent, so a server that stops answering is charged for every request that had to wait (a client
 * that waits for answers omits them: "coordinated omission"). One thread, which sleeps between requests: a busy loop would
 * take a core from the server. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 256,
    ANSWER_BYTES = 16384,           /* head and body of one item have far fewer */
    REQUEST_BYTES = 128,
    STALL_NS = 20000000,            /* an answer later than this is a stall */
    GRACE_NS = 2000000000,          /* for the last answers */
    NANOSECONDS = 1000000000,
};

struct connection {
    int socket;
    uint64_t next;    /* number of the next request */
    int64_t due;      /* of the request in flight; 0 without one */
    size_t length;    /* bytes of its answer received so far */
    char answer[ANSWER_BYTES];
};

static struct connection *connections;
static unsigned count;
static uint64_t total, rows;
static int64_t began;
static double rate;
/* In microseconds. Lateness: how late a request was sent although its connection was free, which is the client's fault. */
static uint32_t *latencies, *lateness;
static uint64_t answered, sent, refused, slow, stalls;
static int64_t stalled_until;

static void die(const char *what)
{
    fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NANOSECONDS + t.tv_nsec;
}

static int64_t due(uint64_t number) { return began + (int64_t)((double)number / rate * NANOSECONDS); }

static uint32_t microseconds(int64_t ns) { return ns < 0 ? 0 : (uint32_t)(ns / 1000); }

/* Spread over all rows without a pattern, the same in every run: the high half of a multiplicative hash. */
static uint64_t row(uint64_t number) { return (number * 0x9E3779B97F4A7C15u >> 32) % rows + 1; }

static void send_next(struct connection *c, int64_t at, int was_free)
{
    char request[REQUEST_BYTES];
    int length = snprintf(request, sizeof request, "GET /api/items/%llu HTTP/1.1\r\nHost: localhost\r\n\r\n",
                          (unsigned long long)row(c->next));
    c->due = due(c->next);
    if (was_free) lateness[sent++] = microseconds(at - c->due);
    c->next += count;
    c->length = 0;
    if (write(c->socket, request, (size_t)length) != length) die("write");
}

/* The length of the whole answer once its head is there, else 0. */
static size_t whole(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n"), *field = strcasestr(answer, "\r\nContent-Length:");
    if (!end) return 0;
    if (!field || field > end) {
        fprintf(stderr, "pace: an answer without Content-Length: %.80s\n", answer);
        exit(1);
    }
    return (size_t)(end + 4 - answer) + strtoul(field + 17, NULL, 10);
}

/* A stall is counted once for all requests that were due before its last answer came. */
static void count_slow(int64_t was_due, int64_t at)
{
    slow++;
    if (was_due > stalled_until) stalls++;
    if (at > stalled_until) stalled_until = at;
}

static void receive(struct connection *c)
{
    ssize_t got = read(c->socket, c->answer + c->length, ANSWER_BYTES - 1 - c->length);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) die("read");
    if (got == 0) {
        fprintf(stderr, "pace: the server closed a connection\n");
        exit(1);
    }
    c->length += (size_t)got;
    c->answer[c->length] = 0;
    size_t length = whole(c->answer);
    if (!length || c->length < length) return;
    int64_t at = now();
    if (strncmp(c->answer, "HTTP/1.1 200 ", 13)) refused++;
    latencies[answered++] = microseconds(at - c->due);
    if (at - c->due > STALL_NS) count_slow(c->due, at);
    c->due = 0;
    /* An overdue request is sent at once; the rest of its lateness is the server's. */
    if (c->next < total && due(c->next) <= at) send_next(c, at, 0);
}

static void open_all(in_port_t port, int epoll)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (unsigned i = 0; i < count; i++) {
        struct connection *c = &connections[i];
        int on = 1;
        c->next = i;
        c->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->socket < 0 || connect(c->socket, (struct sockaddr *)&address, sizeof address)) die("connect");
        setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->socket, &event)) die("epoll_ctl");
    }
}

/* Sends all due requests on free connections; returns when the next one is due. */
static int64_t send_due(uint64_t *number)
{
    for (; *number < total; ++*number) {
        int64_t at = now(), when = due(*number);
        if (when > at) return when;
        struct connection *c = &connections[*number % count];
        /* Otherwise it waits for the previous answer, and `receive` sends it. */
        if (c->due == 0 && c->next == *number) send_next(c, at, 1);
    }
    return due(total) + GRACE_NS;
}

static int ascending(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double percentile(const uint32_t *values, uint64_t length, double share)
{
    return length ? values[(uint64_t)(share * (double)(length - 1))] / 1000.0 : 0;
}

static void report(double seconds)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    qsort(latencies, answered, sizeof *latencies, ascending);
    qsort(lateness, sent, sizeof *lateness, ascending);
    printf("{\"due\":%llu,\"answered\":%llu,\"refused\":%llu,\"seconds\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"p999_ms\":%.3f,\"max_ms\":%.3f,\"slow\":%llu,\"stalls\":%llu,\"late_p99_ms\":%.3f,\"late_max_ms\":%.3f,"
           "\"client_cpu_seconds\":%.3f}\n",
           (unsigned long long)total, (unsigned long long)answered, (unsigned long long)refused, seconds,
           percentile(latencies, answered, 0.5), percentile(latencies, answered, 0.99),
           percentile(latencies, answered, 0.999), percentile(latencies, answered, 1), (unsigned long long)slow,
           (unsigned long long)stalls, percentile(lateness, sent, 0.99), percentile(lateness, sent, 1), cpu);
}

int main(int argc, char **argv)
{
    if (argc != 6 || atof(argv[2]) <= 0 || atoi(argv[3]) < 1 || atof(argv[4]) <= 0 || atoll(argv[5]) < 1) {
        fprintf(stderr, "usage: pace PORT RATE CONNECTIONS SECONDS ROWS\n");
        return 64;
    }
    rate = atof(argv[2]);
    count = (unsigned)atoi(argv[3]);
    total = (uint64_t)(rate * atof(argv[4]));
    rows = (uint64_t)atoll(argv[5]);
    connections = calloc(count, sizeof *connections);
    latencies = calloc(total + 1, sizeof *latencies);
    lateness = calloc(total + 1, sizeof *lateness);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || !latencies || !lateness || epoll < 0) die("start");
    prctl(PR_SET_TIMERSLACK, 1); /* by default a sleep may last 50 microseconds longer */
    open_all((in_port_t)atoi(argv[1]), epoll);

    struct epoll_event events[EVENTS];
    uint64_t number = 0;
    began = now();
    while (answered < total) {
        int64_t until = send_due(&number), at = now();
        if (number == total && at > until) break;
        int64_t left = until > at ? until - at : 0;
        struct timespec pause = {.tv_sec = left / NANOSECONDS, .tv_nsec = left % NANOSECONDS};
        int ready = epoll_pwait2(epoll, events, EVENTS, &pause, NULL);
        if (ready < 0 && errno != EINTR) die("epoll_pwait2");
        for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
    }
    report((double)(now() - began) / NANOSECONDS);
    return answered == total ? 0 : 1;
}
