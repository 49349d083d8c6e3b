// A file that becomes shorter under its map, and faults that are none of ours.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cmocka.hpp"
#include "store/fault_guard.hpp"
#include "store/file_map.hpp"

namespace token_auth {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t pages = 8;

// A file of some pages of 'x', without a name.
int new_file() {
    char name[] = "/tmp/token-auth-XXXXXX";
    const int file = mkstemp(name);
    unlink(name);
    char bytes[page];
    std::memset(bytes, 'x', sizeof(bytes));
    for (std::size_t i = 0; i < pages; ++i) {
        if (write(file, bytes, sizeof(bytes)) != sizeof(bytes)) {
            std::abort();
        }
    }
    return file;
}

char* map_of(int file) {
    return static_cast<char*>(mmap(nullptr, pages * page, PROT_READ, MAP_SHARED, file, 0));
}

// How a child ended that did some work: its exit status, or its signal and 1000.
int end_of(void (*work)()) {
    const int pid = fork();
    if (pid == 0) {
        std::signal(SIGBUS, SIG_DFL);  // cmocka catches it
        work();
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

sigjmp_buf back;
volatile int caught = 0;

void catch_and_jump(int, siginfo_t*, void*) {
    caught = caught + 1;
    siglongjmp(back, 1);
}

void count(int) {
    caught = caught + 1;
}

void set_handler(void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &action, nullptr);
}

bool is_handler(void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action {};
    sigaction(SIGBUS, nullptr, &action);
    return action.sa_sigaction == handler;
}

// A map that nobody watches, of a file that is gone.
volatile const char* gone() {
    const int file = new_file();
    volatile const char* const map = map_of(file);
    if (ftruncate(file, 0) != 0) {
        std::abort();
    }
    return map;
}

void zeros_stand_for_what_is_gone(void**) {
    const int file = new_file();
    volatile const char* const map = map_of(file);
    FaultGuard guard;
    assert_true(guard.watch(const_cast<const char*>(map), pages * page));
    assert_int_equal(map[3 * page], 'x');
    assert_false(guard.is_lost());
    assert_int_equal(ftruncate(file, 2 * page), 0);
    assert_int_equal(map[page], 'x');
    assert_false(guard.is_lost());
    assert_int_equal(map[5 * page + 17], 0);
    assert_true(guard.is_lost());
    assert_int_equal(map[7 * page], 0);
    assert_int_equal(map[page], 'x');
    assert_int_equal(map[3 * page], 0);  // another fault in the same map
    guard.release();
    assert_false(guard.is_lost());
    close(file);
}

void a_fault_elsewhere_goes_where_it_went_before(void**) {
    const int status = end_of([] {
        set_handler(catch_and_jump);
        FaultGuard guard;
        const int file = new_file();
        if (!guard.watch(map_of(file), pages * page)) {
            _exit(1);
        }
        volatile const char* const other = gone();
        for (static int turn = 0; turn < 3; ++turn) {
            if (sigsetjmp(back, 1) == 0) {
                static_cast<void>(other[turn * page]);
                _exit(2);
            }
        }
        if (caught != 3 || guard.is_lost()) {
            _exit(3);
        }
        guard.release();
        _exit(is_handler(catch_and_jump) ? 0 : 4);
    });
    assert_int_equal(status, 0);
}

void a_fault_that_nobody_catches_ends_the_process(void**) {
    const auto fault = [] {
        FaultGuard guard;
        const int file = new_file();
        guard.watch(map_of(file), pages * page);
        static_cast<void>(*gone());
    };
    assert_int_equal(end_of(fault), 1000 + SIGBUS);
    // The kernel lets nobody ignore a fault.
    assert_int_equal(end_of([] {
                         std::signal(SIGBUS, SIG_IGN);
                         FaultGuard guard;
                         const int file = new_file();
                         guard.watch(map_of(file), pages * page);
                         static_cast<void>(*gone());
                     }),
                     1000 + SIGBUS);
}

void a_signal_that_somebody_sent_is_no_fault(void**) {
    const int status = end_of([] {
        std::signal(SIGBUS, count);
        FaultGuard guard;
        const int file = new_file();
        guard.watch(map_of(file), pages * page);
        raise(SIGBUS);
        raise(SIGBUS);
        _exit(caught == 2 && !guard.is_lost() ? 0 : 1);
    });
    assert_int_equal(status, 0);
    assert_int_equal(end_of([] {
                         FaultGuard guard;
                         const int file = new_file();
                         guard.watch(map_of(file), pages * page);
                         raise(SIGBUS);
                     }),
                     1000 + SIGBUS);
}

// Calls the handler that it was set over, as a second module does.
struct sigaction under_second;
void second_handler(int number, siginfo_t* info, void* context) {
    caught = caught + 1;
    under_second.sa_sigaction(number, info, context);
}

void a_handler_set_over_ours_survives(void**) {
    const int status = end_of([] {
        FaultGuard guard;
        const int file = new_file();
        char* const map = map_of(file);
        guard.watch(map, pages * page);
        sigaction(SIGBUS, nullptr, &under_second);
        set_handler(second_handler);
        guard.release();
        if (!is_handler(second_handler)) {
            _exit(1);
        }
        // Watching again does not put ours over it, which would go around in circles.
        guard.watch(map, pages * page);
        if (!is_handler(second_handler) || ftruncate(file, 0) != 0) {
            _exit(2);
        }
        const char byte = *static_cast<volatile const char*>(map);
        _exit(byte == 0 && caught == 1 && guard.is_lost() ? 0 : 3);
    });
    assert_int_equal(status, 0);
}

void a_handler_for_one_time_is_called_once(void**) {
    const int status = end_of([] {
        struct sigaction action {};
        action.sa_handler = count;
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        sigaction(SIGBUS, &action, nullptr);
        FaultGuard guard;
        const int file = new_file();
        guard.watch(map_of(file), pages * page);
        raise(SIGBUS);
        if (caught != 1) {
            _exit(1);
        }
        raise(SIGBUS);
    });
    assert_int_equal(status, 1000 + SIGBUS);
}

void a_map_follows_its_file(void**) {
    char name[] = "/tmp/token-auth-XXXXXX";
    const int file = mkstemp(name);
    FileMap map;
    const bool empty = map.open(name);
    const int error_of_empty = errno;
    const bool wrote = write(file, "0123456789", 10) == 10;
    const bool opened = map.open(name);
    const std::size_t size = map.size();
    const bool grew = ftruncate(file, 3 * page) == 0 && map.measure();
    const std::size_t size_after = map.size();
    const char first = map.data()[0];
    const bool cut = ftruncate(file, page) == 0 && !map.measure() && errno == 0;
    unlink(name);
    close(file);
    assert_false(empty);
    assert_int_equal(error_of_empty, 0);
    assert_true(wrote);
    assert_true(opened);
    assert_int_equal(size, 10);
    assert_true(grew);
    assert_int_equal(size_after, 3 * page);
    assert_int_equal(first, '0');
    assert_true(cut);
}

}  // namespace
}  // namespace token_auth

int main() {
    using namespace token_auth;
    const CMUnitTest tests[] = {
        cmocka_unit_test(zeros_stand_for_what_is_gone),
        cmocka_unit_test(a_fault_elsewhere_goes_where_it_went_before),
        cmocka_unit_test(a_fault_that_nobody_catches_ends_the_process),
        cmocka_unit_test(a_signal_that_somebody_sent_is_no_fault),
        cmocka_unit_test(a_handler_set_over_ours_survives),
        cmocka_unit_test(a_handler_for_one_time_is_called_once),
        cmocka_unit_test(a_map_follows_its_file),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
