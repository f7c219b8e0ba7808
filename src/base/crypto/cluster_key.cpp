#include "base/crypto/cluster_key.hpp"

#include <sodium.h>

#include <algorithm>

#include "base/crypto/crypto.hpp"
#include "base/crypto/key_file.hpp"

namespace gs {

namespace {

constexpr KeyFileKind cluster_kind{"gs-cluster-key", "cluster key", true};

std::string id_of(const Secret& key) { return hex_encode(BytesView{blake2b_256(key.bytes())}.first(8)); }

}  // namespace

Result<Secret> load_cluster_key(const std::filesystem::path& path) {
    auto line = read_key_file(path, cluster_kind);
    if (!line) return line.error();
    Secret key;
    if (line->bytes.size() != key.bytes().size()) return not_a_key(path, cluster_kind);
    std::copy(line->bytes.begin(), line->bytes.end(), key.bytes().begin());
    sodium_memzero(line->bytes.data(), line->bytes.size());
    if (id_of(key) != line->id) return wrong_key_id(path, line->id, id_of(key));
    return key;
}

Result<Secret> load_or_create_cluster_key(const std::filesystem::path& path) {
    auto existing = load_cluster_key(path);
    if (existing || existing.error().code() != Code::not_found) return existing;
    Secret key;
    fill_random(key.bytes());
    const auto saved = create_key_file(path, cluster_kind, {id_of(key), {key.bytes().begin(), key.bytes().end()}});
    if (!saved && saved.error().code() != Code::conflict) return saved.error();
    return load_cluster_key(path);
}

}  // namespace gs
