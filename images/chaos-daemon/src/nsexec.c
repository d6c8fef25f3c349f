/* nsexec [-l] [-n PATH] [-p PATH] [-m PATH] [-i PATH] -- PROGRAM [ARGUMENT...]: runs PROGRAM in these namespaces.
 *
 * nsenter does the same, but leaves the program alone when it is ended itself: the daemon ends stressors by ending
 * what it started, so this one passes signals on and takes its child along.
 * -l (keep the mount namespace) is accepted: without -m it is kept anyway. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 8 };

static pid_t child;

static void pass_on(int signal)
{
    if (child > 0)
        kill(child, signal);
}

static int failed(const char *what)
{
    perror(what);
    return 127;
}

int main(int count, char **words)
{
    int files[MOST], kinds[MOST], found = 0, option, status;

    while ((option = getopt(count, words, "+ln:p:m:i:")) != -1) {
        static const struct { int option, kind; } namespaces[] = {
            {'n', CLONE_NEWNET}, {'p', CLONE_NEWPID}, {'m', CLONE_NEWNS}, {'i', CLONE_NEWIPC}};
        for (size_t one = 0; one < sizeof namespaces / sizeof *namespaces && found < MOST; one++) {
            if (namespaces[one].option != option)
                continue;
            if ((files[found] = open(optarg, O_RDONLY | O_CLOEXEC)) < 0)
                return failed(optarg);
            kinds[found++] = namespaces[one].kind;
        }
        if (option == '?')
            return 2;
    }
    if (optind >= count) {
        fputs("nsexec: expected a program to run, found none\n", stderr);
        return 2;
    }
    /* All are open by now: after the mount namespace has changed, their paths mean something else. */
    for (int one = 0; one < found; one++)
        if (setns(files[one], kinds[one]) != 0)
            return failed("setns");

    struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    /* A PID namespace counts for children only. */
    if ((child = fork()) < 0)
        return failed("fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(words[optind], words + optind);
        return failed(words[optind]);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return failed("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
