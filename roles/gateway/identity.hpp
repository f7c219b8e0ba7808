#pragma once
// What a gateway shows to clients that want encryption: its static key, and the certificate of the zone's root for it.
#include <filesystem>
#include <string>

#include "api/secure.hpp"

namespace gs::gateway {

struct IdentityFiles {
    std::filesystem::path key, certificate;
    std::filesystem::path zone_key;  ///< development mode: makes what is missing; empty: nothing is made
};

struct OwnIdentity {
    wire::noise::Identity identity;
    std::int64_t expires = 0;  ///< seconds since 1970
};

/// `now` in seconds since 1970. Blocks. Throws invalid: a file is missing, or the certificate is not good now.
[[nodiscard]] OwnIdentity load_identity(const IdentityFiles& files, const std::string& node, const std::string& zone,
                                        std::int64_t now);

}  // namespace gs::gateway
