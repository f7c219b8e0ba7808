#include "cluster/bus.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "wire/message.hpp"

namespace gs::cluster {

Bus::Bus(BusGroup& group, runtime::Loop& loop, std::size_t index, Metrics& metrics)
    : EndOfTurn{Phase::deliver},
      group_{group},
      loop_{loop},
      index_{index},
      delivered_{metrics.counter("gameserver_bus_messages_total", "messages delivered to roles of this node")},
      undeliverable_{metrics.counter("gameserver_bus_undeliverable_total",
                                     "messages for a role that is not there, or that has no such command")} {}

Bus::~Bus() { loop_.forget(*this); }

void Bus::set_handler(Role role, Command command, Handler handler) {
    auto& table = handlers_[static_cast<std::size_t>(role)];
    if (table.size() <= command) table.resize(command + 1U);
    if (table[command]) throw Error{Code::conflict, "role {} already handles command {}", role, command};
    table[command] = std::move(handler);
}

const Instance* Bus::find(RoleAddress address) const {
    const auto place = std::find_if(instances_.begin(), instances_.end(),
                                    [&](const Instance& instance) { return instance.address == address; });
    return place == instances_.end() ? nullptr : &*place;
}

bool Bus::post(const Envelope& envelope, std::unique_ptr<LocalBody> object) {
    std::size_t to_loop = 0;
    if (envelope.to.node == group_.self) {
        if (!group_.has_role[static_cast<std::size_t>(envelope.to.role)]) {
            undeliverable_.add();
            return false;
        }
        to_loop = group_.loop_of_role[static_cast<std::size_t>(envelope.to.role)];
    } else if (index_ == 0) {
        const bool carried = group_.carrier != nullptr && group_.carrier->carry(envelope);
        if (!carried) undeliverable_.add();
        return carried;
    } else if (find(envelope.to) == nullptr) {
        undeliverable_.add();
        return false;
    }
    if (out_.size() < group_.buses.size()) out_.resize(group_.buses.size());
    auto& batch = out_[to_loop];
    batch.items.push_back({envelope, static_cast<std::uint32_t>(batch.bytes.size()),
                           static_cast<std::uint32_t>(envelope.body.size()), std::move(object)});
    batch.bytes.append(envelope.body);
    loop_.at_end_of_turn(*this);
    return true;
}

void Bus::end_of_turn() {
    for (std::size_t to = 0; to < out_.size(); ++to) {
        if (out_[to].items.empty()) continue;
        if (to == index_) {
            std::swap(running_, out_[to]);
            run(running_);
            running_.clear();
        } else {
            group_.buses[to]->deliver_batch(std::exchange(out_[to], {}));
        }
    }
}

void Bus::deliver_batch(Batch batch) {
    auto shared = std::make_unique<Batch>(std::move(batch));
    loop_.post([this, shared = std::move(shared)] { run(*shared); });
}

void Bus::run(Batch& batch) {
    ++delivery_;  // a gap
    for (auto& item : batch.items) {
        item.envelope.body = batch.bytes.view().subspan(item.offset, item.size);
        item.envelope.object = item.object.get();
        if (item.envelope.to.node == group_.self) {
            dispatch(item.envelope);
        } else if (group_.carrier == nullptr || !group_.carrier->carry(item.envelope)) {
            undeliverable_.add();
            refuse(item.envelope);
        }
    }
}

void Bus::refuse(const Envelope& envelope) {
    if (envelope.kind == Envelope::Kind::call) {
        reply_error(envelope, {Code::unavailable, "{} is not reachable", envelope.to});
    } else if (envelope.kind == Envelope::Kind::note) {
        auto back = envelope;
        std::swap(back.from, back.to);
        back.kind = Envelope::Kind::refused;
        back.body = {};
        back.object = nullptr;
        post(back);
    }
}

void Bus::deliver(const Envelope& envelope) {
    const auto role = static_cast<std::size_t>(envelope.to.role);
    if (group_.has_role[role] && group_.loop_of_role[role] == index_) {
        dispatch(envelope);
    } else if (!post(envelope) && envelope.kind == Envelope::Kind::call) {
        reply_error(envelope, {Code::unavailable, "node {} has no role {}", group_.node, envelope.to.role});
    }
}

void Bus::dispatch(const Envelope& envelope) {
    delivered_.add();
    ++delivery_;
    const bool is_answer = envelope.kind == Envelope::Kind::reply || envelope.kind == Envelope::Kind::error;
    if (is_answer && !is_in_process(envelope.from)) {
        const auto asked = pending_.find(envelope.call_id);
        if (asked != pending_.end() && asked->second.to != envelope.from) {  // nobody answers for another node
            undeliverable_.add();
            return;
        }
    }
    if (envelope.kind == Envelope::Kind::reply) {
        end_call(envelope.call_id, &envelope);
        return;
    }
    if (envelope.kind == Envelope::Kind::error) {
        auto body = msgpack::decode<wire::ErrorBody>(envelope.body);
        end_call(envelope.call_id, body ? Error::verbatim(body->code, std::move(body->message)) : body.error());
        return;
    }
    if (envelope.kind == Envelope::Kind::refused) {
        const auto& told = refused_handlers_[static_cast<std::size_t>(envelope.to.role)];
        if (told) told(envelope);
        return;
    }
    auto& table = handlers_[static_cast<std::size_t>(envelope.to.role)];
    if (envelope.command < table.size() && table[envelope.command]) {
        table[envelope.command](envelope);
        return;
    }
    undeliverable_.add();
    if (envelope.kind == Envelope::Kind::call) {
        reply_error(envelope, {Code::unknown_command, "role {} has no command {}", envelope.to.role, envelope.command});
    }
}

void Bus::reply_error(const Envelope& call, const Error& error) {
    Buffer body;
    msgpack::encode_to(body, wire::ErrorBody{error.code(), error.message()});
    Envelope answer;
    answer.from = call.to;
    answer.to = call.from;
    answer.kind = Envelope::Kind::error;
    answer.command = call.command;
    answer.call_id = call.call_id;
    answer.body = body;
    post(answer);
}

std::uint64_t Bus::begin_call(RoleAddress to, runtime::Duration deadline, std::string_view what, Complete complete) {
    const auto id = next_call_++;
    auto& pending = pending_[id];
    pending = {to, what, std::move(complete), {}, loop_.now()};
    pending.timer = loop_.after(deadline, [this, id, to, what] {
        end_call(id, Error{Code::deadline, "{} did not answer {} in time", to, what});
    });
    return id;
}

void Bus::end_call(std::uint64_t call_id, Result<const Envelope*> outcome) {
    const auto place = pending_.find(call_id);
    if (place == pending_.end()) return;  // its deadline was before the answer
    loop_.cancel(place->second.timer);
    if (group_.log_calls) {
        const auto took = std::chrono::duration_cast<std::chrono::microseconds>(loop_.now() - place->second.began);
        log::info("call {} to {}: {} in {} us", place->second.what, place->second.to,
                  outcome ? "ok" : outcome.error().message(), took.count());
    }
    const auto complete = std::move(place->second.complete);
    pending_.erase(place);
    complete(std::move(outcome));
}

void Bus::fail_calls_to(const RoleAddress& address) {
    std::vector<std::uint64_t> lost;
    for (const auto& [id, pending] : pending_) {
        if (pending.to == address) lost.push_back(id);
    }
    std::sort(lost.begin(), lost.end());
    for (const auto id : lost) {
        end_call(id, Error{Code::deadline, "{} was lost before it answered", address});
    }
}

void Bus::instance_changed(const Instance& instance, bool up) {
    const auto place = std::find_if(instances_.begin(), instances_.end(),
                                    [&](const Instance& known) { return known.address == instance.address; });
    const bool was_ready = place != instances_.end() && place->state.ready;
    const bool lost = place != instances_.end() && !up;  // told even when it was not ready before
    if (place != instances_.end() && up) {
        place->state = instance.state;
    } else if (up) {
        instances_.push_back(instance);
    } else if (place != instances_.end()) {
        instances_.erase(place);
    }
    const bool is_ready = up && instance.state.ready;
    if (!up) fail_calls_to(instance.address);
    if (was_ready == is_ready && !lost) return;
    const auto copy = instance;
    for (std::size_t index = 0; index < watchers_.size(); ++index) watchers_[index](copy, is_ready);
}

void Bus::announce(Announcement announcement) {
    announcement.cpu = group_.cpu.load(std::memory_order_relaxed);
    const Instance instance{{group_.self, announcement.role}, group_.node, announcement};
    for (auto* bus : group_.buses) {
        if (bus == this) {
            instance_changed(instance, true);
        } else {
            bus->loop_.post([bus, instance] { bus->instance_changed(instance, true); });
        }
    }
    auto* home = group_.buses.front();
    home->loop_.post([home, announcement = std::move(announcement)] {
        if (home->group_.carrier != nullptr) home->group_.carrier->announce(announcement);
    });
}

bool RoleBus::send_raw(RoleAddress to, Command command, std::uint64_t subject, std::uint64_t generation,
                       BytesView body) {
    Envelope envelope;
    envelope.from = address();
    envelope.to = to;
    envelope.command = command;
    envelope.subject = subject;
    envelope.generation = generation;
    envelope.body = body;
    return bus_.post(envelope);
}

Error error_of_handler(const std::exception& thrown, std::string_view what) {
    if (const auto* error = dynamic_cast<const Error*>(&thrown)) return *error;
    log::error("the handler of {} failed: {}", what, thrown.what());
    return {Code::internal, "{} failed on the server", what};
}

std::vector<Instance> RoleBus::ready(Role role) const {
    std::vector<Instance> found;
    for (const auto& instance : bus_.instances()) {
        if (instance.address.role == role && instance.state.ready) found.push_back(instance);
    }
    return found;
}

Result<RoleAddress> RoleBus::any(Role role) const {
    const auto found = ready(role);
    for (const auto& instance : found) {
        if (bus_.is_in_process(instance.address)) return instance.address;
    }
    if (found.empty()) return Error{Code::unavailable, "no {} is reachable right now", role};
    return found.front().address;
}

Result<RoleAddress> RoleBus::keeper(Role role, std::uint64_t key) const {
    const auto name = bus_.group().shards.keeper(role, key);
    if (name.empty()) return any(role);
    std::optional<RoleAddress> found;  // the latest: a node's former run may not have been missed yet
    for (const auto& instance : bus_.instances()) {
        if (instance.address.role == role && instance.node == name && instance.state.ready) found = instance.address;
    }
    if (!found)
        return Error{Code::unavailable, "the {} that keeps this is not ready right now; try again in a moment", role};
    return *found;
}

bool RoleBus::keeps(std::uint64_t key) const {
    const auto name = bus_.group().shards.keeper(self_, key);
    return name.empty() || name == bus_.group().node;
}

runtime::Task<RoleAddress> RoleBus::wait_for(Role role) const {
    for (;;) {
        const auto found = any(role);
        if (found) co_return *found;
        co_await runtime::sleep(loop(), std::chrono::milliseconds{20});
    }
}

}  // namespace gs::cluster
