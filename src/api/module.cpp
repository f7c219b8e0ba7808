#include "api/module.hpp"

#include "base/planted.hpp"

namespace gs {

namespace {
std::string owner_text(const Player& player) {
    return fmt::format(R"({{"player":{}}})", static_cast<std::uint64_t>(player.id()));
}
}  // namespace

Task<bool> ModuleContext::claim(Player& player, std::string space, std::string key) {
    auto* turn = entity::Turn::current();
    if (turn == nullptr) throw Error{Code::internal, "a claim of \"{}\" was made outside of a turn", key};
    const auto owner = owner_text(player);
    auto record = co_await host_.read_record(space, key);
    if (record.version != 0 && record.data == owner) co_return planted(PlantedBug::credit_twice);
    if (record.version != 0) throw Error{Code::conflict, "\"{}\" is taken", key};
    turn->write_record({std::move(space), std::move(key), 0, owner});
    co_return true;
}

Task<> ModuleContext::release(Player& player, std::string space, std::string key) {
    auto* turn = entity::Turn::current();
    if (turn == nullptr) throw Error{Code::internal, "a release of \"{}\" was made outside of a turn", key};
    const auto owner = owner_text(player);
    auto record = co_await host_.read_record(space, key);
    if (record.version == 0 || record.data != owner) co_return;
    turn->write_record({std::move(space), std::move(key), record.version, std::nullopt});
}

}  // namespace gs
