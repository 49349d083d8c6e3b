// What became of tokens that a registry gives no more.
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "registry/registry.hpp"
#include "registry/source.hpp"

namespace token_auth::unit {
namespace {

using registry::Fate;
using registry::HeldToken;
using registry::Writer;

// A registry in a directory of its own.
class World {
  public:
    World() {
        dir_ = (std::filesystem::temp_directory_path() / "token-auth-fates-XXXXXX").string();
        if (mkdtemp(dir_.data()) == nullptr) {
            throw std::runtime_error("mkdtemp failed");
        }
        url_ = "sqlite:" + dir_ + "/registry.db";
        registry::create_registry(registry::parse_location(url_));
        write([](Writer& writer) { writer.put(registry::Organization{"acme", false, 0}); });
    }
    ~World() { std::filesystem::remove_all(dir_); }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    template <typename Body>
    void write(const Body& body) {
        registry::Registry(url_, registry::Access::write).write({"eve", 1}, body);
    }
    void run(const std::string& statements) {
        const auto session =
            registry::open_session(registry::parse_location(url_), registry::Access::write);
        session->run(statements);
    }
    void add(const HeldToken& held) {
        write([&](Writer& writer) { writer.put(token(held)); });
    }
    void remove(const HeldToken& held) {
        write([&](Writer& writer) { writer.remove(writer.token(held.id)->token); });
    }
    std::vector<Fate> fates(const std::vector<HeldToken>& tokens) {
        return registry::open_registry(url_)->fates(tokens);
    }
    Fate fate(const HeldToken& held) { return fates({held}).at(0); }

    static registry::Token token(const HeldToken& held) {
        registry::Token token;
        token.id = held.id;
        token.digest.bytes = held.digest;
        token.organization = "acme";
        token.name = "n";
        return token;
    }

  private:
    std::string dir_;
    std::string url_;
};

HeldToken held(const std::string& id, std::uint8_t first) {
    HeldToken made{id, {}, "tu-" + id, "acme", {}};
    made.digest[0] = first;
    return made;
}

void each_fate() {
    World world;
    const HeldToken one = held("one", 1);
    check_equal(world.fate(one), Fate::lost, "never heard of");
    world.add(one);
    check_equal(world.fate(one), Fate::lost, "there as it was");
    check_equal(world.fate(held("one", 2)), Fate::rekeyed, "another digest");
    world.remove(one);
    check_equal(world.fate(one), Fate::removed, "removed by a writer");
    world.add(one);
    world.run("DELETE FROM tokens");
    check_equal(world.fate(one), Fate::lost, "made again, and removed by SQL");
    world.add(one);
    world.write([](Writer& writer) { writer.remove(*writer.organization("acme")); });
    check_equal(world.fate(one), Fate::removed, "removed with its organization");
    world.run("DELETE FROM changes");
    check_equal(world.fate(one), Fate::removed, "the change log does not matter");
    world.run(
        "INSERT INTO audit (at, actor, action, entity, key, detail) VALUES "
        "(1, 'eve', 'add', 'user', 'one', '{}')");
    check_equal(world.fate(one), Fate::removed, "nor a user of that name");
}

// A removal on purpose holds for tokens that were lost before, too: who comes under that name later
// has none of them.
void owners() {
    World world;
    const auto remove = [&] {
        world.write([](Writer& writer) { writer.remove(*writer.organization("acme")); });
    };
    const auto add = [&] {
        world.write([](Writer& writer) { writer.put(registry::Organization{"acme", false, 0}); });
    };
    HeldToken one = held("one", 1);
    world.add(one);
    world.run("DELETE FROM tokens");
    remove();
    check_equal(world.fate(one), Fate::removed, "its organization was removed after it");
    add();
    check_equal(world.fate(one), Fate::removed, "and made again");
    world.add(one);
    world.run("DELETE FROM tokens");
    check_equal(world.fate(one), Fate::lost, "made after that");
    one.organization = "other";
    remove();
    check_equal(world.fate(one), Fate::lost, "another one's organization");
    for (const char* row : {"'group', 'other/ops'", "'user', 'tu-one'"}) {
        HeldToken grouped = one;
        grouped.group = "ops";
        world.run("DELETE FROM audit WHERE action = 'remove'");
        check_equal(world.fate(grouped), Fate::lost, "before");
        world.run(std::string("INSERT INTO audit (actor, action, entity, key, detail) VALUES ("
                              "'eve', 'remove', ") +
                  row + ", '{}')");
        check_equal(world.fate(grouped), Fate::removed, "removed since");
    }
}

void many_at_once() {
    World world;
    std::vector<HeldToken> tokens;
    for (int i = 0; i < 300; ++i) {
        tokens.push_back(held("t" + std::to_string(i), static_cast<std::uint8_t>(i)));
        tokens.back().digest[1] = static_cast<std::uint8_t>(i >> 8);
    }
    world.write([&](Writer& writer) {
        for (const HeldToken& each : tokens) {
            writer.put(World::token(each));
        }
        writer.remove(*writer.organization("acme"));
    });
    const std::vector<Fate> fates = world.fates(tokens);
    check_equal(fates.size(), tokens.size(), "one each");
    for (const Fate fate : fates) {
        check_equal(fate, Fate::removed, "removed");
    }
}

}  // namespace
}  // namespace token_auth::unit

int main() {
    using namespace token_auth::unit;
    const CMUnitTest tests[] = {UNIT_TEST(each_fate), UNIT_TEST(owners), UNIT_TEST(many_at_once)};
    return cmocka_run_group_tests_name("fates", tests, nullptr, nullptr);
}
