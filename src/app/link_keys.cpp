#include "app/link_keys.hpp"

#include "api/secure.hpp"
#include "base/crypto/cluster_key.hpp"

namespace gs::app {

namespace {

IdentityFiles files_of(const NodeSettings& settings) {
    const auto& directory = settings.data_directory;
    IdentityFiles files;
    files.key = in_directory(directory, settings.links.key_file);
    files.certificate = in_directory(directory, settings.links.certificate_file);
    if (settings.development) files.zone_key = directory / "zone.key";
    return files;
}

IdentityOwner owner_of(const NodeSettings& settings) {
    IdentityOwner owner;
    owner.kind = CertificateKind::node;
    owner.node = settings.name;
    for (const auto role : settings.roles) owner.roles.emplace_back(to_string(role));
    owner.zone = settings.links.zone;
    return owner;
}

}  // namespace

LinkKeys::LinkKeys(const NodeSettings& settings, Metrics& metrics)
    : directory_{settings.data_directory},
      development_{settings.development},
      settings_{settings.links},
      files_{files_of(settings)},
      owner_{owner_of(settings)},
      expires_{metrics.gauge("gameserver_link_certificate_expires_seconds",
                             "when the certificate for links to other nodes ends, in seconds since 1970")} {}

Result<void> LinkKeys::load(std::int64_t now) {
    const auto file = in_directory(directory_, settings_.cluster_key_file);
    const auto key = development_ ? load_or_create_cluster_key(file) : load_cluster_key(file);
    if (!key) {
        return Error{Code::invalid,
                     "links cannot be encrypted: {}. All nodes need the same one; gameserver keygen makes it",
                     key.error().message()};
    }
    cluster_key_ = *key;
    auto roots = load_roots();
    if (!roots) return roots;
    own_.emplace(files_, owner_, expires_);
    return own_->load(now);
}

Result<void> LinkKeys::load_roots() {
    owner_.roots.clear();
    for (const auto& name : settings_.root_files) {
        const auto root = load_public_key(in_directory(directory_, name));
        if (!root) {
            return Error{Code::invalid,
                         "links cannot be encrypted: {} (login.root_files). All nodes need the zone.pub of gameserver "
                         "keygen",
                         root.error().message()};
        }
        owner_.roots.push_back(*root);
    }
    if (owner_.roots.empty()) return Error{Code::invalid, "links cannot be encrypted: login.root_files names no root"};
    return {};
}

bool LinkKeys::reload_changed(std::int64_t now) { return own_->reload_changed(now); }

std::shared_ptr<const cluster::LinkSecurity> LinkKeys::security() const {
    return std::make_shared<const cluster::LinkSecurity>(
        cluster::LinkSecurity{cluster_key_, {owner_.roots, owner_.zone}, own_->get()});
}

}  // namespace gs::app
