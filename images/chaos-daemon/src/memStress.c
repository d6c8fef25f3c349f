/* memStress --workers N --size SIZE: N processes that each take SIZE and keep it, until this one ends.
 *
 * It needs next to nothing for itself, so that it can fill a small container to just below its limit. A worker that
 * is killed for want of memory is started again a second later. SIZE is a number with B, KB, MB, GB, KiB, MiB or GiB
 * (all of them powers of 1024), or a percentage of the machine's memory. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workers.h"

/* 0 when it is no size. */
static size_t parsed(const char *text)
{
    char *unit;
    double number;

    errno = 0;
    number = strtod(text, &unit);
    if (errno != 0 || unit == text || !(number > 0))
        return 0;
    if (strcmp(unit, "%") == 0)
        return (size_t)(number / 100 * (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE));
    for (const char *step = "KMG"; *step != '\0'; step++) {
        number *= 1024;
        if (*unit == *step && (strcmp(unit + 1, "B") == 0 || strcmp(unit + 1, "iB") == 0))
            return (size_t)number;
    }
    return strcmp(unit, "B") == 0 ? (size_t)strtod(text, NULL) : 0;
}

/* What each worker takes. */
static size_t size;

static void take(void)
{
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return;
    /* Not zeros, which some kernels give back. */
    memset(memory, 0x5a, size);
    for (;;)
        pause();
}

int main(int count, char **words)
{
    static const struct option known[] = {
        {"workers", required_argument, NULL, 'w'}, {"size", required_argument, NULL, 's'}, {0, 0, 0, 0}};
    long workers = 1;
    int option;

    while ((option = getopt_long(count, words, "", known, NULL)) != -1) {
        if (option == 'w')
            workers = strtol(optarg, NULL, 10);
        else if (option == 's')
            size = parsed(optarg);
        else
            return 2;
    }
    if (workers < 1 || size == 0 || optind != count) {
        fputs("memStress: expected --workers 1 or more and --size such as 128MB\n", stderr);
        return 2;
    }
    keep(workers, take);
    return 0;
}
