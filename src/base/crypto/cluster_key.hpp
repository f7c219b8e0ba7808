#pragma once
// The cluster key: 32 random bytes that all nodes of a cluster have and nobody else, mixed into the handshake of every
// link. Its file: `gs-cluster-key <key id> <base64url>` (mode 0600); the id is the hash of the key, cut to 8 bytes, in
// hex, so that one can see whether two hosts have the same one. Errors and blocking: as in key_file.hpp.
#include "base/crypto/exchange.hpp"

namespace gs {

Result<Secret> load_cluster_key(const std::filesystem::path& path);
/// Makes the file when it is missing. Of several processes that start at once one makes it and all get the same key.
Result<Secret> load_or_create_cluster_key(const std::filesystem::path& path);

}  // namespace gs
