/* Keeps a number of worker processes until this one is told to end. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* `work` is called in each worker and does not return. A worker that is killed is started again a second later; all of
 * them end with this process. Returns when SIGTERM or SIGINT comes. */
static void keep(long workers, void (*work)(void))
{
    const struct timespec second = {.tv_sec = 1};
    const pid_t self = getpid();
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    for (long missing = workers;;) {
        for (; missing > 0; missing--) {
            const pid_t child = fork();
            if (child == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() == self)
                    work();
                _exit(1);
            }
            if (child < 0)
                break;
        }
        if (sigtimedwait(&ends, NULL, &second) > 0)
            return;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            missing++;
    }
}
