// A JSON Lines file (see jsonl.hpp) as a source for the store.
//
// A position is "file:<SHA-256 of the content>": either nothing changed, or everything is read.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/file_watch.hpp"
#include "registry/file/content.hpp"
#include "registry/source.hpp"

namespace token_auth::registry {

// The file is taken as a whole, and only once nobody has written to it for a moment. Its content
// is held in memory from when it is first needed until wait().
class FileSource final : public Source {
  public:
    // base::Error (wrong usage) if the path is empty. The file is looked at when it is needed.
    explicit FileSource(std::string path);

    // "file-" and the file's name, without its directory: the same file in another checkout or
    // release directory is the same source, and staging.jsonl is none for tokens.jsonl's store. In
    // place of a name that cannot be part of an identifier stands a hash of it. The first call
    // checks the file.
    std::string identity() override;

    std::uint64_t token_count() override;
    std::optional<std::string> changes(const std::string& position, Sink& sink) override;
    std::string all(Sink& sink) override;
    void wait(std::chrono::milliseconds timeout) override;
    std::string title() const override;

  private:
    using Clock = std::chrono::steady_clock;

    // By which a file that was not written to is known.
    struct Stamp {
        dev_t device = 0;
        ino_t inode = 0;
        off_t size = 0;
        std::int64_t modified = 0;  // nanoseconds since the epoch
        std::int64_t changed = 0;
        bool operator==(const Stamp&) const = default;
    };
    static Stamp stamp_of(const struct stat& info);

    // Brings position, content and problem up to date with the file; throws the problem.
    void refresh();
    const FileContent& content();

    std::optional<Stamp> look() const;
    Stamp present() const;
    Stamp wait_until_quiet(Stamp stamp, Clock::time_point deadline) const;
    void require_quiet(Clock::time_point deadline) const;
    std::optional<std::string> read(const Stamp& stamp) const;
    void take(std::string text);
    [[noreturn]] void fail(const std::string& text) const;
    [[noreturn]] void fail_system(int error) const;

    std::string path_;
    std::string shown_;  // the path, for messages
    base::FileWatch watch_;
    std::optional<Stamp> stamp_;  // as of which the following are
    std::string position_;
    std::string problem_;                 // what is wrong with the content; empty: nothing
    std::optional<FileContent> content_;  // empty if there is a problem, or after wait()
};

}  // namespace token_auth::registry
