/* stress-ng --cpu N --cpu-load PER_CENT [--cpu-load-slice MS] [--cpu-method NAME]: N processes that each calculate for
 * that part of every tenth of a second, until this one ends.
 *
 * Chaos Mesh's daemon starts `stress-ng` for StressChaos, in the memory of the container that it hits. The real one needs
 * 50 MB for itself: a container with a small limit loses it to the kernel at once, and nothing is stressed. What this
 * program does not know is left to the real one. */
#ifndef REAL
#define REAL "/usr/bin/stress-ng"
#endif
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "workers.h"

enum { SLICE = 100 * 1000 * 1000 }; /* nanoseconds */

static long elapsed(const struct timespec *since)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since->tv_sec) * 1000000000L + now.tv_nsec - since->tv_nsec;
}

/* Per cent of the time for which each worker calculates. */
static long load = 100;

static void calculate(void)
{
    const long busy = SLICE / 100 * load;
    volatile unsigned long sum = 0;
    struct timespec begin;

    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &begin);
        while (elapsed(&begin) < busy)
            for (int i = 0; i < 1000; i++)
                sum += (unsigned long)i * (unsigned long)i;
        const long rest = SLICE - elapsed(&begin);
        if (rest > 0)
            nanosleep(&(struct timespec){.tv_nsec = rest}, NULL);
    }
}

int main(int count, char **words)
{
    static const struct option known[] = {{"cpu", required_argument, NULL, 'c'},
                                          {"cpu-load", required_argument, NULL, 'l'},
                                          {"cpu-load-slice", required_argument, NULL, 's'},
                                          {"cpu-method", required_argument, NULL, 'm'},
                                          {0, 0, 0, 0}};
    long workers = 0;
    int option;

    opterr = 0;
    while ((option = getopt_long(count, words, "", known, NULL)) != -1 && option != '?') {
        if (option == 'c')
            workers = strtol(optarg, NULL, 10);
        else if (option == 'l')
            load = strtol(optarg, NULL, 10);
    }
    if (option == '?' || optind != count || workers < 1 || load < 1 || load > 100) {
        execv(REAL, words);
        fprintf(stderr, "stress-ng: %s: %s\n", REAL, strerror(errno));
        return 127;
    }
    keep(workers, calculate);
    return 0;
}
