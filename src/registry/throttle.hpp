// What holds up guessing of passwords: tries are counted before the password is looked at.
//
// Within an hour, a name may fail 5 times from an address, and 100 times from anywhere; an address
// may fail 50 times. (An IPv6 address counts as its /64.) From then on one try is let through after
// 30 seconds, the next one after 60, doubling to 15 minutes. Whether there is such a name does not
// matter. All is kept in the registry, as digests, so that all processes count together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "registry/writer.hpp"

namespace token_auth::registry {

// An address as it is counted, and as login_addresses knows it: "192.0.2.1", "2001:db8:1:2::/64";
// empty if the text is no address.
std::string counted_address(std::string_view address);

struct Try {
    std::string name;     // that was given; it may be anything
    std::string address;  // counted_address()
    std::int64_t at = 0;
};

// Counts a try, in a transaction that is committed before the password is looked at. 0: counted;
// else the seconds until another one may be made, and nothing is counted.
std::int64_t count_try(Writer& writer, const Try& tried);
// It succeeded: forgets all of the name's from the address, and this one of the name and the
// address.
void forget_try(Writer& writer, const Try& tried);
// It came to nothing, and the password was not looked at: takes it back.
void take_try_back(Writer& writer, const Try& tried);
// Removes what counts no more.
void remove_old_tries(Writer& writer);

}  // namespace token_auth::registry
