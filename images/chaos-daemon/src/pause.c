/* pause PROGRAM [ARGUMENT...]: waits for SIGCONT, then becomes PROGRAM.
 *
 * The daemon starts stressors through it: the process is put into its target's cgroup before it uses anything.
 * The signal stays blocked until it is waited for, so that none is lost that comes early. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(int count, char **words)
{
    sigset_t go, before;
    int signal;

    if (count < 2) {
        fputs("pause: expected a program to become, found none\n", stderr);
        return 2;
    }
    sigemptyset(&go);
    sigaddset(&go, SIGCONT);
    sigprocmask(SIG_BLOCK, &go, &before);
    sigwait(&go, &signal);
    sigprocmask(SIG_SETMASK, &before, NULL);
    execvp(words[1], words + 1);
    perror(words[1]);
    return 127;
}
