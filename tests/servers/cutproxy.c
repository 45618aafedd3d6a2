/* cutproxy: a TCP proxy for tests that delays, cuts or stalls a connection.
 *
 *   cc -O2 -o cutproxy cutproxy.c
 *   cutproxy [options] LISTEN:DEST ...          ports of 127.0.0.1; LISTEN 0 takes a free one
 *     -d MS       one-way delay (RTT = 2 x MS)
 *     -b MB       bandwidth of each direction of each connection, in MB/s
 *     -c BYTES    let exactly BYTES pass in the faulty direction, then cut the connection
 *     -w up|down  the faulty direction: client to server, or server to client (default: down)
 *     -f          cut with FIN, as a server that goes away; default RST, as a line that breaks
 *     -s          stall instead of cutting: nothing is read or sent any more, nothing is closed
 *     -n COUNT    only the first COUNT connections that carry so much are faulty (default: all)
 *     -k COUNT    ... and the first COUNT connections of all are not
 *
 * Prints "LISTEN DEST" for each pair, then "ready". SIGUSR1 prints the counters as one line of JSON.
 * SIGUSR2 cuts every connection there is. Runs until SIGTERM.
 *
 * Each chunk is stamped with the time at which it may leave, so that delay costs no throughput. The
 * first byte of a connection also pays for the handshake. One thread, epoll, no other state.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { kChunk = 256 << 10, kEvents = 256 };
enum { kUp = 0, kDown = 1 };
static const size_t kQueueMax = 64u << 20;

struct chunk {
    struct chunk* next;
    int64_t due;
    size_t size, sent;
    char data[];
};
struct link;
struct end { /* one socket; what was read from it waits here for the other one */
    struct link* link;
    struct end* other;
    int fd, eof, shut, is_listener, dest;
    uint32_t events;
    struct chunk *head, *tail;
    size_t queued;
    int64_t passed, earliest, line_free;
};
struct link {
    struct link *prev, *next;
    struct end ends[2];
    int faulty, stalled, dead, connected;
};

static int64_t delay_ns, bytes_per_second, cut_after = -1, faulty_count = INT64_MAX, sound_count;
static int fault_way = kDown, cut_with_fin, stall_only;
static int64_t count_links, count_faults, count_bytes[2], most_links;
static int poller, timer;
static struct link *links, *graveyard;
static volatile sig_atomic_t asked_counters, asked_cut;

static void die(const char* what) {
    perror(what);
    exit(1);
}

static void on_signal(int number) {
    if (number == SIGUSR1) asked_counters = 1;
    if (number == SIGUSR2) asked_cut = 1;
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void watch(struct end* e, uint32_t events) {
    if (e->events == events) return;
    struct epoll_event event = {.events = events, .data.ptr = e};
    epoll_ctl(poller, EPOLL_CTL_MOD, e->fd, &event);
    e->events = events;
}

static void end_link(struct link* l, int reset) {
    if (l->dead) return;
    l->dead = 1;
    for (int i = 0; i < 2; i++) {
        struct end* e = &l->ends[i];
        struct linger hard = {1, 0};
        if (reset) setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(e->fd);
        for (struct chunk* c; (c = e->head);) {
            e->head = c->next;
            free(c);
        }
    }
    if (l->prev) l->prev->next = l->next;
    else links = l->next;
    if (l->next) l->next->prev = l->prev;
    l->next = graveyard; /* freed after this round of events, which may still name it */
    graveyard = l;
}

static void fault(struct link* l) {
    count_faults++;
    if (!stall_only) {
        end_link(l, !cut_with_fin);
        return;
    }
    l->stalled = 1;
    for (int i = 0; i < 2; i++) epoll_ctl(poller, EPOLL_CTL_DEL, l->ends[i].fd, NULL);
}

/* Sends what E holds and may leave by now, and keeps both sockets' interests right. */
static void flush_end(struct end* e, int64_t now) {
    struct link* l = e->link;
    struct end* out = e->other;
    int way = e == &l->ends[0] ? kUp : kDown, blocked = 0;
    if (!l->connected || l->stalled) return;
    int to_fault = l->faulty && way == fault_way && count_faults < faulty_count;
    if (to_fault && e->passed >= cut_after) { /* 0 bytes, or all of them */
        fault(l);
        return;
    }
    while (e->head && e->head->due <= now) {
        struct chunk* c = e->head;
        size_t want = c->size - c->sent;
        if (to_fault && (int64_t)want > cut_after - e->passed) want = (size_t)(cut_after - e->passed);
        ssize_t n = send(out->fd, c->data + c->sent, want, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN) {
                blocked = 1;
                break;
            }
            end_link(l, 1);
            return;
        }
        c->sent += (size_t)n, e->queued -= (size_t)n, e->passed += n, count_bytes[way] += n;
        if (to_fault && e->passed >= cut_after) {
            fault(l);
            return;
        }
        if (c->sent == c->size) {
            if (!(e->head = c->next)) e->tail = NULL;
            free(c);
        }
    }
    if (!e->head && e->eof && !e->shut) {
        shutdown(out->fd, SHUT_WR);
        e->shut = 1;
    }
    if (e->shut && out->shut) {
        end_link(l, 0);
        return;
    }
    double in_flight = (double)bytes_per_second / 1e9 * (double)delay_ns;
    size_t room = bytes_per_second ? (size_t)in_flight + (512u << 10) : kQueueMax;
    uint32_t in = !e->eof && e->queued < room ? EPOLLIN : 0;
    watch(e, in | (e->events & EPOLLOUT));
    watch(out, (out->events & EPOLLIN) | (blocked ? EPOLLOUT : 0));
}

static void read_end(struct end* e, int64_t now) {
    static char buffer[kChunk];
    size_t most = kChunk;
    if (bytes_per_second) {  // a slow line brings a little all the time, not much now and then
        int64_t tenth = bytes_per_second / 10;
        most = tenth < 64 ? 64 : tenth < kChunk ? (size_t)tenth : kChunk;
    }
    ssize_t n = recv(e->fd, buffer, most, 0);
    if (n < 0) {
        if (errno != EAGAIN) end_link(e->link, 1);
        return;
    }
    if (n == 0) e->eof = 1;
    if (n > 0) {
        struct chunk* c = malloc(sizeof *c + (size_t)n);
        if (!c) die("malloc");
        memcpy(c->data, buffer, (size_t)n);
        c->next = NULL, c->size = (size_t)n, c->sent = 0;
        int64_t leaves = now;
        if (bytes_per_second) {
            if (e->line_free > leaves) leaves = e->line_free;
            leaves = e->line_free = leaves + (int64_t)((double)n * 1e9 / (double)bytes_per_second);
        }
        c->due = leaves + delay_ns;
        if (c->due < e->earliest) c->due = e->earliest;
        if (e->tail) e->tail->next = c;
        else e->head = c;
        e->tail = c, e->queued += (size_t)n;
    }
    flush_end(e, now);
}

static int new_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    return fd;
}

static struct sockaddr_in local(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return a;
}

static void accept_link(struct end* listener, int64_t now) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
    if (fd < 0) return;
    struct sockaddr_in to = local(listener->dest);
    int up = new_socket();
    if (connect(up, (void*)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        close(fd);
        close(up);
        return;
    }
    struct link* l = calloc(1, sizeof *l);
    if (!l) die("calloc");
    int fds[2] = {fd, up};
    for (int i = 0; i < 2; i++) {
        struct end* e = &l->ends[i];
        e->link = l, e->other = &l->ends[!i], e->fd = fds[i];
        e->earliest = now + (i ? 4 : 3) * delay_ns;
        e->events = i ? EPOLLOUT : EPOLLIN;
        setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event event = {.events = e->events, .data.ptr = e};
        epoll_ctl(poller, EPOLL_CTL_ADD, e->fd, &event);
    }
    l->faulty = cut_after >= 0 && count_links >= sound_count;
    count_links++;
    if ((l->next = links)) links->prev = l;
    links = l;
}

static void arm_timer(int64_t now) {
    int64_t first = INT64_MAX;
    for (struct link* l = links; l; l = l->next)
        for (int i = 0; i < 2; i++) {
            struct chunk* c = l->stalled ? NULL : l->ends[i].head;
            if (c && c->due > now && c->due < first) first = c->due;
        }
    struct itimerspec t = {0};
    if (first != INT64_MAX) t.it_value.tv_sec = first / 1000000000, t.it_value.tv_nsec = first % 1000000000;
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void handle(struct end* e, uint32_t events, int64_t now) {
    if (e->is_listener) {
        accept_link(e, now);
        return;
    }
    struct link* l = e->link;
    if (l->dead || l->stalled) return;
    if (!l->connected && e == &l->ends[1]) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            end_link(l, 1);
            return;
        }
        l->connected = 1;
        watch(e, EPOLLIN);
        flush_end(e->other, now);
        if (!l->dead && fault_way == kDown) flush_end(e, now);
        return;
    }
    if (events & EPOLLOUT) flush_end(e->other, now);
    if (!l->dead && !l->stalled && !e->eof && (events & (EPOLLIN | EPOLLERR | EPOLLHUP))) read_end(e, now);
}

/* Connections that neither side has ended, when something was accepted and all else was heard. */
static void count_most(void) {
    static int64_t seen_links;
    if (seen_links == count_links) return;
    seen_links = count_links;
    int64_t alive = 0;
    for (struct link* l = links; l; l = l->next) alive += !l->ends[0].eof && !l->ends[1].eof;
    if (alive > most_links) most_links = alive;
}

static void act_on_signals(void) {
    if (asked_counters) {
        asked_counters = 0;
        printf("{\"connections\": %lld, \"most_at_once\": %lld, \"faults\": %lld, \"up_bytes\": %lld, "
               "\"down_bytes\": %lld}\n",
               (long long)count_links, (long long)most_links, (long long)count_faults,
               (long long)count_bytes[kUp], (long long)count_bytes[kDown]);
        fflush(stdout);
    }
    if (asked_cut) {
        asked_cut = 0;
        for (struct link *l = links, *next; l; l = next) {
            next = l->next;
            count_faults++;
            end_link(l, !cut_with_fin);
        }
    }
}

static int usage(void) {
    fprintf(stderr, "usage: cutproxy [-d MS] [-b MB] [-c BYTES [-w up|down] [-f] [-s] [-n COUNT] [-k COUNT]] "
                    "LISTEN:DEST ...\n");
    return 2;
}

static int listen_all(int count, char** pairs) {
    for (int i = 0; i < count; i++) {
        int from, to;
        if (sscanf(pairs[i], "%d:%d", &from, &to) != 2) return usage();
        struct end* listener = calloc(1, sizeof *listener);
        if (!listener) die("calloc");
        struct sockaddr_in a = local(from);
        socklen_t size = sizeof a;
        listener->fd = new_socket(), listener->is_listener = 1, listener->dest = to;
        if (bind(listener->fd, (void*)&a, sizeof a) || listen(listener->fd, 1024)) die(pairs[i]);
        getsockname(listener->fd, (void*)&a, &size);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
        epoll_ctl(poller, EPOLL_CTL_ADD, listener->fd, &event);
        printf("%d %d\n", ntohs(a.sin_port), to);
    }
    printf("ready\n");
    fflush(stdout);
    return 0;
}

int main(int argc, char** argv) {
    int option;
    while ((option = getopt(argc, argv, "d:b:c:w:fsn:k:")) != -1) switch (option) {
            case 'd': delay_ns = (int64_t)(atof(optarg) * 1e6); break;
            case 'b': bytes_per_second = (int64_t)(atof(optarg) * 1e6); break;
            case 'c': cut_after = atoll(optarg); break;
            case 'w': fault_way = strcmp(optarg, "up") ? kDown : kUp; break;
            case 'f': cut_with_fin = 1; break;
            case 's': stall_only = 1; break;
            case 'n': faulty_count = atoll(optarg); break;
            case 'k': sound_count = atoll(optarg); break;
            default: return usage();
        }
    if (optind == argc) return usage();
    struct rlimit files;
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    /* The signals are let in only while we wait, so that none is seen one event too late. */
    sigset_t blocked, while_waiting;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event tick = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &tick);
    int failed = listen_all(argc - optind, argv + optind);
    if (failed) return failed;
    for (;;) {
        struct epoll_event events[kEvents];
        int n = epoll_pwait(poller, events, kEvents, -1, &while_waiting);
        act_on_signals();
        int64_t now = now_ns();
        for (int i = 0; i < n; i++) {
            uint64_t ticks;
            if (events[i].data.ptr) handle(events[i].data.ptr, events[i].events, now);
            else if (read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timerfd");
        }
        count_most();
        if (delay_ns || bytes_per_second) {
            now = now_ns();
            for (struct link *l = links, *next; l; l = next) {
                next = l->next;
                for (int i = 0; i < 2 && !l->dead; i++)
                    if (l->ends[i].head && l->ends[i].head->due <= now) flush_end(&l->ends[i], now);
            }
            arm_timer(now);
        }
        for (struct link* l; (l = graveyard);) {
            graveyard = l->next;
            free(l);
        }
    }
}
