#pragma once
// A role's TLS certificate, read again when its files change, so that a renewal needs no restart.
// Owner: the role. Loop: its own.
#include <filesystem>
#include <memory>
#include <string>

#include "api/role.hpp"

namespace gs {

class TlsFiles {
public:
    /// The metric says when the certificate ends.
    TlsFiles(Metrics& metrics, Role role);

    /// Errors: the files cannot be used, and why; also when the certificate has expired.
    [[nodiscard]] Result<void> load(std::filesystem::path chain, std::filesystem::path key);
    /// Loads what has changed; what cannot be used is logged, and the old one stays. True: there is a new one.
    bool reload_changed();
    /// Null: there is none.
    [[nodiscard]] transport::TlsCertificate* current() { return certificate_.get(); }
    /// The same as PEM, for libraries that read it themselves.
    [[nodiscard]] const std::string& chain() const { return chain_text_; }
    [[nodiscard]] const std::string& key() const { return key_text_; }

private:
    using Stamp = std::pair<std::filesystem::file_time_type, std::filesystem::file_time_type>;
    [[nodiscard]] Stamp stamp() const;
    [[nodiscard]] Result<void> read();

    std::filesystem::path chain_, key_;
    std::string chain_text_, key_text_;
    Stamp read_;
    std::unique_ptr<transport::TlsCertificate> certificate_;
    Gauge& expires_;
};

}  // namespace gs
