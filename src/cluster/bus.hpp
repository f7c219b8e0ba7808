#pragma once
// The bus of one loop: typed call, send and publish between roles. The same code reaches a role on this loop (a queue hop
// at the end of the turn), on another loop (one wake-up for the batch) and on another node (a link).
// FIFO for each pair of role instances. A call ends with a reply, an error or its deadline, never with nothing.
// Loop: the bus's own, but for deliver_batch.
// Errors of calls: unavailable (not sent: no such role, no link, or the link's queue is full), deadline (no answer in
// time, or its link was lost: whether it was done is unknown), and what the handler throws.
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/msgpack.hpp"
#include "base/result.hpp"
#include "cluster/directory.hpp"
#include "cluster/envelope.hpp"
#include "cluster/shards.hpp"
#include "runtime/loop.hpp"
#include "runtime/task.hpp"
#include "runtime/timers.hpp"

namespace gs::cluster {

inline constexpr auto default_deadline = std::chrono::seconds{5};

/// Messages for one loop, gathered over a turn.
struct Batch {
    struct Item {
        Envelope envelope;  // its body is a range of `bytes`, set on delivery
        std::uint32_t offset = 0, size = 0;
        std::unique_ptr<LocalBody> object;
    };
    std::vector<Item> items;
    Buffer bytes;
    void clear() {
        items.clear();
        bytes.clear();
        if (bytes.capacity() > 1U << 20U) bytes.release();
    }
};

/// Carries envelopes to other nodes; lives on the home loop.
class Carrier {
public:
    /// False when there is no link to that node, or its queue is full.
    virtual bool carry(const Envelope& envelope) = 0;
    /// A local role changed what it announces.
    virtual void announce(const Announcement& announcement) = 0;

protected:
    ~Carrier() = default;
};

class Bus;

/// The buses of one process and where its roles live. Fixed before the loops run.
struct BusGroup {
    Incarnation self{};
    std::string node;
    bool serialise_local = false;  ///< encode messages that stay in the process as well (tests)
    bool log_calls = false;        ///< one log line for each call between roles
    bool has_peers = false;        ///< there are other nodes in the cluster
    Shards shards;                 ///< the cluster's nodes by role, as configured; empty: this node alone
    std::vector<Bus*> buses;       ///< by loop; the first one is home to the links
    std::array<std::size_t, role_count> loop_of_role{};
    std::array<bool, role_count> has_role{};
    Carrier* carrier = nullptr;
    std::atomic<std::uint32_t> cpu{0};  ///< as announced; the one that may change later
};

class Bus final : private runtime::EndOfTurn {
public:
    using Handler = std::function<void(const Envelope&)>;
    /// `up`: it is ready now. Not up: it is not ready any more, or lost (then find() does not know it).
    using OnChange = std::function<void(const Instance&, bool up)>;

    Bus(BusGroup& group, runtime::Loop& loop, std::size_t index, Metrics& metrics);
    ~Bus();
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    [[nodiscard]] runtime::Loop& loop() { return loop_; }
    [[nodiscard]] const BusGroup& group() const { return group_; }

    void set_handler(Role role, Command command, Handler handler);
    void set_refused_handler(Role role, Handler handler) {
        refused_handlers_[static_cast<std::size_t>(role)] = std::move(handler);
    }
    void watch(OnChange on_change) { watchers_.push_back(std::move(on_change)); }
    [[nodiscard]] const std::vector<Instance>& instances() const { return instances_; }
    [[nodiscard]] const Instance* find(RoleAddress address) const;

    /// Queues or carries; false when nobody could take it. The body is copied, the object moves.
    bool post(const Envelope& envelope, std::unique_ptr<LocalBody> object = nullptr);
    [[nodiscard]] bool is_in_process(const RoleAddress& to) const { return to.node == group_.self; }

    /// `complete` is called once: with the reply, or with the error. Returns the call's id.
    using Complete = std::function<void(Result<const Envelope*>)>;
    std::uint64_t begin_call(RoleAddress to, runtime::Duration deadline, std::string_view what, Complete complete);
    void end_call(std::uint64_t call_id, Result<const Envelope*> outcome);
    void reply_error(const Envelope& call, const Error& error);

    /// Home loop: an envelope came over a link.
    void deliver(const Envelope& envelope);
    /// Any thread.
    void deliver_batch(Batch batch);
    /// The directory changed; called on each bus on its own loop.
    void instance_changed(const Instance& instance, bool up);
    /// A local role's state; reaches every loop and link.
    void announce(Announcement announcement);
    [[nodiscard]] runtime::Tasks& tasks() { return tasks_; }
    /// Counts the messages handed to roles of this loop; two that follow each other in a batch have numbers in a row.
    [[nodiscard]] std::uint64_t delivery() const { return delivery_; }

private:
    struct Pending {
        RoleAddress to;
        std::string_view what;
        Complete complete;
        runtime::TimerId timer{};
        runtime::Time began{};
    };

    void end_of_turn() override;
    void dispatch(const Envelope& envelope);
    void run(Batch& batch);
    void refuse(const Envelope& envelope);
    void fail_calls_to(const RoleAddress& address);

    BusGroup& group_;
    runtime::Loop& loop_;
    const std::size_t index_;
    std::vector<Batch> out_;  // by loop
    Batch running_;
    std::array<std::vector<Handler>, role_count> handlers_;
    std::array<Handler, role_count> refused_handlers_;
    std::unordered_map<std::uint64_t, Pending> pending_;
    std::uint64_t next_call_ = 1;
    std::vector<Instance> instances_;
    std::vector<OnChange> watchers_;
    std::uint64_t delivery_ = 0;
    Counter& delivered_;
    Counter& undeliverable_;
    runtime::Tasks tasks_;
};

/// What one role holds: the bus, speaking in that role's name.
class RoleBus {
public:
    RoleBus(Bus& bus, Role self) : bus_{bus}, self_{self} {}

    [[nodiscard]] RoleAddress address() const { return {bus_.group().self, self_}; }
    [[nodiscard]] runtime::Loop& loop() const { return bus_.loop(); }
    [[nodiscard]] Bus& bus() const { return bus_; }

    /// Handlers: `Reply f(const Envelope&, const Request&)`, `Task<Reply> f(RoleAddress, Request)` for calls,
    /// `void f(const Envelope&, const Note&)` for notes.
    template <class T, class Function>
    void on(Function function);
    /// The body as it came, for messages that are passed on unopened.
    void on_raw(Command command, Bus::Handler handler) { bus_.set_handler(self_, command, std::move(handler)); }

    /// For notes that were sent, and that the link to another node did not take after all: a role on a loop that is not
    /// home to the links learns it here, not from send(). `from` is who did not get it; the body is gone.
    void on_refused(Bus::Handler handler) { bus_.set_refused_handler(self_, std::move(handler)); }

    template <Call T>
    [[nodiscard]] runtime::Future<Result<ReplyOf<T>>> call(RoleAddress to, T request,
                                                           runtime::Duration deadline = default_deadline);
    template <Note T>
    bool send(RoleAddress to, T note, std::uint64_t subject = 0, std::uint64_t generation = 0);
    bool send_raw(RoleAddress to, Command command, std::uint64_t subject, std::uint64_t generation, BytesView body);
    /// To every instance of the role, ready or not; returns how many.
    template <Note T>
    std::size_t publish(Role role, const T& note);

    [[nodiscard]] std::vector<Instance> ready(Role role) const;
    /// Any ready instance, one in this process first.
    [[nodiscard]] Result<RoleAddress> any(Role role) const;
    /// The instance that keeps this key (a shard_key). Errors: unavailable: it is not ready now; no other one will do.
    [[nodiscard]] Result<RoleAddress> keeper(Role role, std::uint64_t key) const;
    /// Of its own role.
    [[nodiscard]] bool keeps(std::uint64_t key) const;
    /// Waits until there is one.
    [[nodiscard]] runtime::Task<RoleAddress> wait_for(Role role) const;

    void announce(bool is_ready, std::uint32_t load, std::string endpoint, std::string why = {},
                  std::string websocket = {}) const {
        announce({self_, is_ready, load, std::move(endpoint), std::move(why), std::move(websocket)});
    }
    void announce(Announcement announcement) const {
        announcement.role = self_;
        bus_.announce(std::move(announcement));
    }
    void watch(Bus::OnChange on_change) const { bus_.watch(std::move(on_change)); }

private:
    template <class T>
    bool post(Envelope envelope, T value);
    template <class T>
    static Result<T> open(const Envelope& envelope);
    template <class T>
    void reply(const Envelope& call, T value);
    template <class T, class Function>
    static runtime::Task<> answer(RoleBus bus, Function* function, Envelope call, T request);

    Bus& bus_;
    Role self_;
};

// ---------------------------------------------------------------------------------------------------------------------

namespace detail {
template <class T>
struct IsTask : std::false_type {};
template <class T>
struct IsTask<runtime::Task<T>> : std::true_type {};
}  // namespace detail

/// What a caller is told of what a handler threw: an Error as it is, anything else is a fault that only the log
/// explains.
[[nodiscard]] Error error_of_handler(const std::exception& thrown, std::string_view what);

template <class T>
Result<T> RoleBus::open(const Envelope& envelope) {
    if (envelope.object != nullptr) return std::move(static_cast<LocalBodyOf<T>*>(envelope.object)->value);
    return msgpack::decode<T>(envelope.body);
}

template <class T>
bool RoleBus::post(Envelope envelope, T value) {
    if (bus_.is_in_process(envelope.to) && !bus_.group().serialise_local) {
        return bus_.post(envelope, std::make_unique<LocalBodyOf<T>>(std::move(value)));
    }
    thread_local Buffer body;
    body.clear();
    msgpack::encode_to(body, value);
    envelope.body = body;
    return bus_.post(envelope);
}

template <class T>
void RoleBus::reply(const Envelope& call, T value) {
    Envelope answer;
    answer.from = call.to;
    answer.to = call.from;
    answer.kind = Envelope::Kind::reply;
    answer.command = call.command;
    answer.call_id = call.call_id;
    post(answer, std::move(value));
}

template <class T, class Function>
runtime::Task<> RoleBus::answer(RoleBus bus, Function* function, Envelope call, T request) {
    call.body = {};
    call.object = nullptr;
    try {
        auto value = co_await (*function)(call.from, std::move(request));
        bus.reply(call, std::move(value));
    } catch (const std::exception& error) {
        bus.bus_.reply_error(call, error_of_handler(error, name_of<T>()));
    }
}

template <class T, class Function>
void RoleBus::on(Function function) {
    auto kept = std::make_shared<Function>(std::move(function));
    bus_.set_handler(self_, command_of<T>, [bus = *this, kept](const Envelope& envelope) mutable {
        auto value = open<T>(envelope);
        if (!value) {
            if (envelope.kind == Envelope::Kind::call) bus.bus_.reply_error(envelope, value.error());
            return;
        }
        if constexpr (Note<T>) {
            try {
                (*kept)(envelope, *value);
            } catch (const std::exception& error) {
                log::error("the handler of {} failed: {}", name_of<T>(), error.what());
            }
        } else if constexpr (std::is_invocable_v<Function, const Envelope&, const T&>) {
            try {
                bus.reply(envelope, (*kept)(envelope, *value));
            } catch (const std::exception& error) {
                bus.bus_.reply_error(envelope, error_of_handler(error, name_of<T>()));
            }
        } else {
            static_assert(detail::IsTask<std::invoke_result_t<Function, RoleAddress, T>>::value);
            bus.bus_.tasks().spawn(answer<T, Function>(bus, kept.get(), envelope, std::move(*value)),
                                   name_of<T>().data());
        }
    });
}

template <Call T>
runtime::Future<Result<ReplyOf<T>>> RoleBus::call(RoleAddress to, T request, runtime::Duration deadline) {
    const runtime::Promise<Result<ReplyOf<T>>> promise;
    auto future = promise.future();
    Envelope envelope;
    envelope.from = address();
    envelope.to = to;
    envelope.kind = Envelope::Kind::call;
    envelope.command = command_of<T>;
    envelope.deadline_ms =
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count());
    envelope.call_id = bus_.begin_call(to, deadline, name_of<T>(), [promise](Result<const Envelope*> outcome) {
        promise.set(outcome ? open<ReplyOf<T>>(**outcome) : Result<ReplyOf<T>>{outcome.error()});
    });
    if (!post(envelope, std::move(request))) {
        bus_.end_call(envelope.call_id, Error{Code::unavailable, "{} is not reachable for {}", to, name_of<T>()});
    }
    return future;
}

template <Note T>
bool RoleBus::send(RoleAddress to, T note, std::uint64_t subject, std::uint64_t generation) {
    Envelope envelope;
    envelope.from = address();
    envelope.to = to;
    envelope.command = command_of<T>;
    envelope.subject = subject;
    envelope.generation = generation;
    return post(envelope, std::move(note));
}

template <Note T>
std::size_t RoleBus::publish(Role role, const T& note) {
    std::size_t sent = 0;
    for (const auto& instance : bus_.instances()) {
        if (instance.address.role == role) sent += send(instance.address, note) ? 1 : 0;
    }
    return sent;
}

}  // namespace gs::cluster
