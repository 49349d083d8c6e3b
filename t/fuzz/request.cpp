// A whole request: a world, a credential and what a location asks for are all drawn from the input.
// The records go into a real store, and the core's answer is held against the oracle's, which knows
// the rules but not the core.
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

// One store for the whole run.
class Bench {
  public:
    Bench() { require(digester_.init() && digester_.add_key(pepper), "a digester"); }

    void write(const World& world) {
        file_.meta.generation += 1;
        file_.file().write([&](MDB_txn* txn) {
            LmdbFile::clear(txn);
            put_world(txn, world, digester_, file_.meta);
            StoreFile::put_meta(txn, file_.meta);
        });
        if (!store_.is_open()) {
            require(store_.open(file_.directory()), store_.problem());
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
        Identify identify(digester_, credential.token, asked.requirements().organization_mode,
                          request.organization);
        if (store_.read(identify) == Lookup::broken) {
            return Code::store_unavailable;
        }
        const Words* unmet = nullptr;
        return decide(identify.claims, asked.requirements(), request.organization, request.now,
                      asked.client(), unmet);
    }

  private:
    StoreFile file_;
    Digester digester_;
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
            return "Bearer " + token.substr(0, draw.below(token.size() + 1));
        default:
            return "Bearer " + token;
    }
}

void run(std::string_view bytes) {
    // Lives as long as the process: what the drivers of a killed run leave is in TMPDIR.
    static Bench& bench = *new Bench;
    Input input(bytes);
    Draw draw([&input] { return input.next(); });

    const World world = draw_world(draw, 6);
    std::vector<std::string> tokens;
    for (const auto& [presented, token] : world.tokens) {
        tokens.push_back(presented);
    }
    bench.write(world);

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
        const std::string expected = expected_code(world, request);
        require(got == expected, "answered " + got + ", not " + expected);
    }
}

}  // namespace
}  // namespace token_auth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    token_auth::fuzz::run(token_auth::fuzz::text_of(data, size));
    return 0;
}
