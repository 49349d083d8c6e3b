// Statements that are prepared once, at their first use, and run many times.
//
// They must go before the transaction they run in ends, as Reader and Writer do.
#pragma once

#include <optional>
#include <string>
#include <tuple>

#include <soci/soci.h>

namespace token_auth::registry {

// A SELECT of at most one row, by one or two texts: Lookup<Columns...>.
template <typename... Columns>
class Lookup {
  public:
    Lookup(soci::session& session, const char* sql) : session_(session), sql_(sql) {}
    Lookup(const Lookup&) = delete;
    Lookup& operator=(const Lookup&) = delete;

    bool find(const std::string& key) { return run(1, key, {}); }
    bool find(const std::string& first, const std::string& second) { return run(2, first, second); }

    // Of the row last found.
    template <std::size_t column>
    const auto& get() const {
        return std::get<column>(columns_);
    }

  private:
    bool run(int keys, const std::string& first, const std::string& second) {
        first_ = first;
        second_ = second;
        if (!statement_) {
            statement_.emplace(session_);
            std::apply([&](auto&... each) { (statement_->exchange(soci::into(each)), ...); },
                       columns_);
            statement_->exchange(soci::use(first_));
            if (keys == 2) {
                statement_->exchange(soci::use(second_));
            }
            statement_->alloc();
            statement_->prepare(sql_);
            statement_->define_and_bind();
        }
        return statement_->execute(true);
    }

    soci::session& session_;
    const char* sql_;
    std::string first_;
    std::string second_;
    std::tuple<Columns...> columns_;
    std::optional<soci::statement> statement_;
};

// A statement without a result: Command<Values...>.
template <typename... Values>
class Command {
  public:
    Command(soci::session& session, const char* sql) : session_(session), sql_(sql) {}
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;

    void run(const Values&... values) {
        values_ = std::tuple<Values...>(values...);
        if (!statement_) {
            statement_.emplace(session_);
            std::apply([&](auto&... each) { (statement_->exchange(soci::use(each)), ...); },
                       values_);
            statement_->alloc();
            statement_->prepare(sql_);
            statement_->define_and_bind();
        }
        statement_->execute(true);
    }

  private:
    soci::session& session_;
    const char* sql_;
    std::tuple<Values...> values_;
    std::optional<soci::statement> statement_;
};

}  // namespace token_auth::registry
