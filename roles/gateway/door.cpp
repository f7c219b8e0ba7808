#include "roles/gateway/door.hpp"

#include <algorithm>

namespace gs::gateway {

void Door::come(const std::string& address) {
    ++connections_;
    ++unproved_;
    if (!address.empty()) come_from(address);
}

void Door::come_from(const std::string& address) {
    auto& place = places_[session::address_block(address)];
    ++place.connections;
    ++place.unproved;
}

void Door::prove(const std::string& address) {
    --unproved_;
    if (!address.empty()) --places_[session::address_block(address)].unproved;
}

void Door::go(const std::string& address) {
    --connections_;
    if (address.empty()) return;
    const auto place = places_.find(session::address_block(address));
    if (--place->second.connections == 0 && place->second.hellos == 0) places_.erase(place);
}

std::string_view Door::objection(const std::string& address) const {
    if (connections_ > settings_.connections_max) return "this gateway is full";
    // A tenth of all places is for those who have not shown a token yet.
    if (unproved_ > std::max<std::size_t>(64, settings_.connections_max / 10))
        return "too many connections wait to log in";
    const auto place = places_.find(session::address_block(address));
    if (address.empty() || place == places_.end()) return {};
    if (place->second.unproved > settings_.unauthenticated_per_address_max)
        return "too many connections wait to log in";
    if (settings_.connections_per_address_max != 0 && place->second.connections > settings_.connections_per_address_max)
        return "too many connections from one address";
    return {};
}

std::string_view Door::greet(const std::string& address) {
    if (settings_.hellos_per_second_max != 0 && hellos_ >= settings_.hellos_per_second_max) return busy;
    auto& here = places_[session::address_block(address)];
    if (settings_.hellos_per_address_max != 0 && here.hellos >= settings_.hellos_per_address_max) return busy;
    ++hellos_;
    ++here.hellos;
    return {};
}

void Door::tick() {
    hellos_ = 0;
    for (auto& [address, place] : places_) place.hellos = 0;
    std::erase_if(places_, [](const auto& entry) { return entry.second.connections == 0; });
}

}  // namespace gs::gateway
