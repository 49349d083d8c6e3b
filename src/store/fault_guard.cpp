#include "store/fault_guard.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

namespace token_auth {
namespace {

constexpr int slots = 256;  // maps: two for each store, while one replaces the other

// Read by the handler at any moment.
struct Slot {
    std::atomic<std::uintptr_t> begin;  // 0: free
    std::atomic<std::uintptr_t> end;
    std::atomic<bool> lost;
};
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free, "the handler takes no lock");

Slot table[slots];
int watched = 0;
bool installed = false;  // or still called by the handler that was set over ours
struct sigaction before;
std::uintptr_t system_page = 4096;

bool put_zeros(const void* address) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    for (Slot& slot : table) {
        const std::uintptr_t begin = slot.begin.load(std::memory_order_acquire);
        const std::uintptr_t end = slot.end.load(std::memory_order_acquire);
        if (begin == 0 || at < begin || at >= end) {
            continue;
        }
        const std::uintptr_t page = at & ~(system_page - 1);
        slot.lost.store(true, std::memory_order_release);
        return mmap(reinterpret_cast<void*>(page), end - page, PROT_READ,
                    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
    }
    return false;
}

void pass_on(int number, siginfo_t* info, void* context) noexcept {
    const struct sigaction next = before;
    if ((static_cast<unsigned>(next.sa_flags) & SA_RESETHAND) != 0) {
        before.sa_handler = SIG_DFL;
        before.sa_flags = 0;
    }
    if ((next.sa_flags & SA_SIGINFO) != 0) {
        next.sa_sigaction(number, info, context);
    } else if (next.sa_handler != SIG_DFL && next.sa_handler != SIG_IGN) {
        next.sa_handler(number);
    } else if (next.sa_handler == SIG_DFL || info->si_code > 0) {
        // The kernel lets nobody ignore a fault of one's own. The signal comes on return.
        std::signal(number, SIG_DFL);
        raise(number);
    }
}

// si_code is above 0 if the kernel sent it, and the address is one then.
void on_fault(int number, siginfo_t* info, void* context) noexcept {
    const int saved = errno;
    const bool mended = info->si_code > 0 && put_zeros(info->si_addr);
    errno = saved;
    if (!mended) {
        pass_on(number, info, context);
    }
}

bool is_ours(const struct sigaction& action) noexcept {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_fault;
}

bool install() noexcept {
    if (installed) {
        return true;
    }
    system_page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    if (sigaction(SIGBUS, nullptr, &before) != 0) {
        return false;
    }
    // The handler before ours is called from ours: mask and stack are those that it expects.
    struct sigaction action = before;
    action.sa_flags = (before.sa_flags & (SA_ONSTACK | SA_NODEFER)) | SA_SIGINFO;
    action.sa_sigaction = on_fault;
    installed = sigaction(SIGBUS, &action, nullptr) == 0;
    return installed;
}

void uninstall() noexcept {
    struct sigaction current {};
    if (sigaction(SIGBUS, nullptr, &current) == 0 && is_ours(current)) {
        installed = sigaction(SIGBUS, &before, nullptr) != 0;
    }
    // Else somebody set a handler over ours, and may call it.
}

}  // namespace

bool FaultGuard::watch(const char* map, std::size_t size) noexcept {
    release();
    for (int i = 0; i < slots; ++i) {
        if (table[i].begin.load(std::memory_order_relaxed) != 0) {
            continue;
        }
        if (watched == 0 && !install()) {
            return false;
        }
        const auto begin = reinterpret_cast<std::uintptr_t>(map);
        table[i].lost.store(false, std::memory_order_relaxed);
        table[i].end.store(begin + size, std::memory_order_release);
        table[i].begin.store(begin, std::memory_order_release);
        ++watched;
        slot_ = i;
        lost_ = &table[i].lost;
        return true;
    }
    errno = EMFILE;
    return false;
}

void FaultGuard::release() noexcept {
    if (slot_ < 0) {
        return;
    }
    table[slot_].begin.store(0, std::memory_order_release);
    slot_ = -1;
    lost_ = nullptr;
    if (--watched == 0) {
        uninstall();
    }
}

}  // namespace token_auth
