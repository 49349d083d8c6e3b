// Preloaded into wrk: it looks for events again and again rather than sleep until one comes. A
// client on another host is woken by that host; on this one it would be nginx, which pays up to 1
// µs for waking the other processor, and the more often the less there is for wrk to do. Between
// two looks it yields the processor to whatever else is there.
#include <sched.h>
#include <sys/epoll.h>

#include <chrono>

extern "C" int epoll_wait(int file, epoll_event* events, int events_max, int timeout) {
    using Clock = std::chrono::steady_clock;
    const auto begun = Clock::now();
    for (;;) {
        const int count = epoll_pwait(file, events, events_max, 0, nullptr);
        if (count != 0 || timeout == 0 ||
            (timeout > 0 && Clock::now() - begun >= std::chrono::milliseconds(timeout))) {
            return count;
        }
        sched_yield();
    }
}
