#pragma once
// The files with which a node encrypts its links: the cluster key, the roots of the zone, and its own key and
// certificate, which is read again when it changes. Owner: the node. Loop: home; load() blocks, before the loops run.
#include <memory>
#include <optional>

#include "app/node_settings.hpp"
#include "base/crypto/own_identity.hpp"
#include "base/metrics.hpp"
#include "cluster/link_handshake.hpp"

namespace gs::app {

class LinkKeys {
public:
    LinkKeys(const NodeSettings& settings, Metrics& metrics);

    /// `now` in seconds since 1970. Errors: invalid: which file is missing or of no use, and why.
    [[nodiscard]] Result<void> load(std::int64_t now);
    /// True: there is a new certificate. One that cannot be used is logged, and the old one stays.
    [[nodiscard]] bool reload_changed(std::int64_t now);
    /// What the links need, once it is loaded.
    [[nodiscard]] std::shared_ptr<const cluster::LinkSecurity> security() const;

private:
    [[nodiscard]] Result<void> load_roots();

    std::filesystem::path directory_;
    bool development_;
    LinkSettings settings_;
    IdentityFiles files_;
    IdentityOwner owner_;
    Gauge& expires_;
    Secret cluster_key_;
    std::optional<OwnIdentity> own_;
};

}  // namespace gs::app
