#pragma once
// Who may not play, and for how long: stored as records of the space "ban", one for each. Every center knows all of
// them. Owner: the center. Loop: its own.
#include <map>
#include <span>

#include "api/role.hpp"
#include "api/session.hpp"
#include "api/storage.hpp"

namespace gs::center {

class BanList {
public:
    BanList(cluster::RoleBus bus, entity::Persistence& persistence, runtime::Loop& loop);

    /// Reads what is stored; what is new is told to gateways, as if it came from another center just now.
    [[nodiscard]] runtime::Task<Result<void>> read();
    [[nodiscard]] runtime::Task<Done> put(session::PutBan request);
    [[nodiscard]] runtime::Task<Done> lift(session::LiftBan request);
    void on_changed(const session::BanChanged& note);
    [[nodiscard]] session::Bans list() const;
    /// Throws forbidden when one of them is banned.
    void check(std::span<const std::string> whom) const;

private:
    [[nodiscard]] runtime::Task<> store(std::string whom, std::optional<session::Ban> ban);
    [[nodiscard]] std::int64_t now() const;
    void tell(const session::BanChanged& note);

    cluster::RoleBus bus_;
    entity::Persistence& persistence_;
    runtime::Loop& loop_;
    std::map<std::string, session::Ban, std::less<>> bans_;
    std::uint64_t changes_ = 0;  // what was read before one of them is old
};

}  // namespace gs::center
