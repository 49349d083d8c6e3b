// The lock of tokensync's own, beside the store, and what must outlive a store.
//
// The file <store>.sync is 0600: nginx, which may read the store, can neither lock nor write it.
// Whoever keeps the store up to date holds it by flock(2) for as long as they run. Whoever commits
// to the store or exchanges it holds its first byte meanwhile, and whoever makes a new store beside
// it the second one, by open file description locks of fcntl(2): "tokensync compact" works beside a
// "tokensync watch". The kernel lets go of them when the process ends, in every PID namespace.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "base/file_descriptor.hpp"
#include "store_writer/directory.hpp"

namespace token_auth::store_writer {

class SyncLock {
  public:
    // Makes the file if it is missing. Throws StoreError.
    explicit SyncLock(const Site& site);
    ~SyncLock();
    SyncLock(const SyncLock&) = delete;
    SyncLock& operator=(const SyncLock&) = delete;

    static constexpr std::chrono::milliseconds commit_waits{15'000};

    // Takes the store for this process alone. Throws StoreError if another one has it for all of
    // `wait`.
    void hold(std::chrono::milliseconds wait);

    // Whether tokensync wrote the file: there is a store of ours beside it, or was to be.
    bool is_known() const noexcept { return known_; }

    // The same for the store's data file, if there is one: two mounts of its directory have a lock
    // file each, and so have two processes if one is removed in between. Throws StoreError.
    void hold_data(const std::string& file);

    // Throws StoreError if somebody has it under another path, whom this lock does not hold off.
    void require_no_other_path(const std::string& file) const;

    // No store at this path had a higher generation; 0 if there was none.
    std::uint64_t generation() const noexcept { return generation_; }
    // While commits are held off.
    void raise_generation(std::uint64_t generation);

    // Whether somebody began to work on the store with liblmdb and has not said that they ended, or
    // the file cannot be read. To be set while this process does.
    bool at_work() const noexcept { return at_work_; }
    void set_at_work(bool at_work);

    // Whether a commit failed when it wrote LMDB's meta page. LMDB gives its number again, to pages
    // that readers of the failed one cannot tell from it: only another file may be committed to.
    // Stays set until the store is replaced. While commits are held off.
    bool is_spoiled() const noexcept { return spoiled_; }
    void set_spoiled(bool spoiled);

    // A part of the file, locked for as long as this is there; the SyncLock must be, too.
    class Held {
      public:
        Held() noexcept = default;
        Held(Held&& other) noexcept : file_(std::exchange(other.file_, -1)), part_(other.part_) {}
        Held& operator=(Held&&) = delete;
        ~Held();

        bool is_held() const noexcept { return file_ >= 0; }

      private:
        friend class SyncLock;
        Held(int file, off_t part) noexcept : file_(file), part_(part) {}
        int file_ = -1;
        off_t part_ = 0;
    };

    // Nobody else commits to the store, or exchanges it, meanwhile. Throws StoreError if somebody
    // did for all of `wait`; and if the file was removed or exchanged: another process may have
    // locked a new one.
    Held commit(std::chrono::milliseconds wait = commit_waits) const;

    // Throws StoreError if that happened since.
    void require_in_place() const;

    // Nobody else makes a new store beside this one meanwhile; not held if somebody did for all of
    // `wait`.
    Held replace(std::chrono::milliseconds wait) const;

  private:
    Held lock_part(off_t begin, std::chrono::milliseconds wait) const;
    void require_no_writer(int data) const;
    void open_file();
    void require_own(const struct stat& info) const;
    void read();
    void write() const;
    bool is_in_place() const noexcept;

    std::string store_;  // for messages
    std::string path_;
    base::FileDescriptor file_;
    base::FileDescriptor data_;
    bool held_ = false;
    bool known_ = false;
    bool at_work_ = false;
    bool spoiled_ = false;
    std::uint64_t generation_ = 0;
};

}  // namespace token_auth::store_writer
