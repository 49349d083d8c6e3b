// A whole request: a world, damage to its records, a credential and what a location asks for are
// all drawn from the input. The records go into a real store, and the core's answer is held
// against the oracle's, which knows the rules but not the core.
#include <lmdb.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "token_auth/answer.hpp"
#include "token_auth/claims.hpp"
#include "token_auth/credential.hpp"
#include "token_auth/policy.hpp"
#include "token_auth/resolve.hpp"
#include "token_auth/store.hpp"
#include "world_store.hpp"

namespace token_auth::fuzz {
namespace {

using namespace token_auth::unit;

// Numbers out of the input, two bytes each; 0 once it is used up.
class Input {
  public:
    explicit Input(std::string_view bytes) : bytes_(bytes) {}

    std::uint64_t next() {
        const std::uint64_t low = byte();
        return low | byte() << 8;
    }

  private:
    std::uint64_t byte() {
        if (bytes_.empty()) {
            return 0;
        }
        const auto value = static_cast<unsigned char>(bytes_.front());
        bytes_.remove_prefix(1);
        return value;
    }

    std::string_view bytes_;
};

void check(int error, const char* doing) {
    if (error != MDB_SUCCESS) {
        throw std::runtime_error(std::string(doing) + ": " + mdb_strerror(error));
    }
}

// One store for the whole run, written and read in this process: neither side is ever closed, so
// that neither takes the other's locks away.
class Bench {
  public:
    Bench() {
        require(digester_.init() && digester_.add_key(pepper), "a digester");
        writer_ = open_for_writing(directory_.path(), std::size_t{16} << 20);
    }

    Digester& digester() { return digester_; }

    void write(const std::vector<Entry>& entries) {
        MDB_txn* txn = nullptr;
        MDB_dbi dbi = 0;
        check(mdb_txn_begin(writer_, nullptr, 0, &txn), "begin to write");
        check(mdb_dbi_open(txn, nullptr, 0, &dbi), "open the database");
        check(mdb_drop(txn, dbi, 0), "empty it");
        for (const Entry& entry : entries) {
            MDB_val key = {entry.key.size(), const_cast<char*>(entry.key.data())};
            MDB_val value = {entry.value.size(), const_cast<char*>(entry.value.data())};
            check(mdb_put(txn, dbi, &key, &value, 0), "write a record");
        }
        check(mdb_txn_commit(txn), "commit");
        if (!store_.is_open()) {
            require(store_.open(directory_.path().c_str()), store_.problem());
        }
    }

    // As the module does it.
    Code answer_to(const std::string& field, unsigned schemes, const Request& request) {
        const Exact exact(field);
        const Credential credential = parse_authorization(exact.view(), schemes);
        switch (credential.status) {
            case CredentialStatus::missing:
                return Code::credentials_missing;
            case CredentialStatus::malformed_request:
                return Code::request_malformed;
            case CredentialStatus::malformed_token:
                return Code::token_malformed;
            case CredentialStatus::well_formed:
                break;
        }
        const Asked asked(request);
        Snapshot snapshot(store_);
        require(snapshot.ok(), store_.problem());
        Claims claims;
        KeyId missing = no_key;
        const Identified identified =
            identify(snapshot, digester_, credential.token, asked.requirements().organization_mode,
                     asked.requirements().organization, claims, missing);
        if (identified != Identified::found && identified != Identified::not_found) {
            return Code::store_unavailable;
        }
        return decide(claims, asked.requirements(), request.now, asked.client());
    }

  private:
    const Directory directory_;
    Digester digester_;
    MDB_env* writer_ = nullptr;
    Store store_;
};

std::string draw_field(Draw& draw, const std::string& token, unsigned& schemes) {
    schemes = draw.chance(90) ? scheme_bearer | scheme_token : static_cast<unsigned>(draw.below(4));
    switch (draw.below(8)) {
        case 0:
            return "Token token=\"" + token + "\"";
        case 1:
            return "tOKEN   " + token + "  ";
        case 2:
            return mutated(draw, "Bearer " + token);
        default:
            return "Bearer " + token;
    }
}

void run(std::string_view bytes) {
    // Lives as long as the process: what the drivers of a killed run leave is in TMPDIR.
    static Bench& bench = *new Bench;
    static std::uint64_t generation = 0;
    Input input(bytes);
    Draw draw([&input] { return input.next(); });

    const World world = draw_world(draw, 6);
    std::vector<std::string> tokens;
    for (const auto& [presented, token] : world.tokens) {
        tokens.push_back(presented);
    }
    std::vector<Entry> entries = entries_of(world, bench.digester(), ++generation);
    const bool damage = draw.chance(50);
    if (damage) {
        mutate(draw, entries, draw.below(4) + 1);
    }
    bench.write(entries);
    std::size_t damaged = 0;
    const World written = world_of(entries, world, bench.digester(), damaged);

    for (std::size_t count = draw.below(4) + 1; count > 0; --count) {
        Request request = draw_request(draw, world, tokens);
        unsigned schemes = 0;
        const std::string field = draw_field(draw, request.token, schemes);
        const Code code = bench.answer_to(field, schemes, request);
        const std::string got(answer(code).name);

        // The token that the field holds, by the parser, which has a driver of its own.
        const Credential credential = parse_authorization(field, schemes);
        if (credential.status != CredentialStatus::well_formed) {
            require(answer(code).status >= 400, "no token, but let in");
            continue;
        }
        request.token = std::string(credential.token);
        const std::string expected = expected_code(written, request);
        require(code != Code::ok || expected == "ok", "let in, but " + expected);
        if (damaged == 0) {
            require(got == expected, "answered " + got + ", not " + expected);
        } else {
            require(
                got == expected || code == Code::store_unavailable || answer(code).status >= 400,
                "answered " + got + ", not " + expected);
        }
        if (!damage) {
            require(got == expected_code(world, request), "what is read is what was written");
        }
    }
}

}  // namespace
}  // namespace token_auth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    token_auth::fuzz::run(token_auth::fuzz::text_of(data, size));
    return 0;
}
