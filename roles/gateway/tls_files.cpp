#include "roles/gateway/tls_files.hpp"

namespace gs::gateway {

TlsFiles::TlsFiles(Metrics& metrics)
    : expires_{metrics.gauge("gameserver_gateway_certificate_expires_seconds",
                             "when the TLS certificate ends, in seconds since 1970; 0: there is none")} {}

Result<void> TlsFiles::load(std::filesystem::path chain, std::filesystem::path key) {
    chain_ = std::move(chain);
    key_ = std::move(key);
    return read();
}

void TlsFiles::reload_changed() {
    if (certificate_ == nullptr || stamp() == read_) return;
    const auto loaded = read();
    if (loaded) {
        log::info("the TLS certificate {} was read again", chain_.string());
    } else {
        log::error("the TLS certificate stays as it was: {}", loaded.error().message());
    }
}

TlsFiles::Stamp TlsFiles::stamp() const {
    std::error_code ignored;
    return {std::filesystem::last_write_time(chain_, ignored), std::filesystem::last_write_time(key_, ignored)};
}

Result<void> TlsFiles::read() {
    read_ = stamp();
    auto loaded = transport::load_tls_certificate(chain_, key_);
    if (!loaded) return loaded.error();
    certificate_ = std::move(*loaded);
    const auto expires = certificate_->expires().time_since_epoch();
    expires_.set(std::chrono::duration_cast<std::chrono::seconds>(expires).count());
    return {};
}

}  // namespace gs::gateway
