#pragma once
// For tests: a few nodes with one role each and the links between them, plain or encrypted, on virtual time. Whoever
// includes it has included Catch.
#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>

#include "base/crypto/crypto.hpp"
#include "cluster/links.hpp"
#include "runtime/virtual_loop.hpp"
#include "transport/memory/memory_transport.hpp"

namespace gs::cluster::links_test {

struct Length {
    std::uint64_t bytes = 0;
    std::string node;
    FIELDS(bytes, node)
};
struct Measure {
    std::string text;
    FIELDS(text)
};
struct Silence {
    std::uint32_t number = 0;
    FIELDS(number)
};
struct Told {
    std::uint32_t number = 0;
    std::string text;
    FIELDS(number, text)
};
GS_CALL(220, Measure, Length)
GS_CALL(221, Silence, Length)
GS_NOTE(222, Told)

using namespace std::chrono_literals;

inline const std::map<std::string, std::string> addresses{
    {"a", "10.0.0.1:7100"}, {"b", "10.0.0.2:7100"}, {"c", "10.0.0.3:7100"}};

inline runtime::Task<> keep_result(runtime::Future<Result<Length>> future, std::optional<Result<Length>>* into) {
    auto result = co_await std::move(future);
    into->emplace(std::move(result));
}

// --- keys ------------------------------------------------------------------------------------------------------------

inline constexpr std::int64_t now_at_first = 1'900'000'000;  // of VirtualTime

[[nodiscard]] inline SigningKey root_of_zone(std::uint8_t seed = 1) {
    static const bool ready = crypto_init().has_value();
    REQUIRE(ready);
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(seed);
    return SigningKey::from_seed(bytes);
}

[[nodiscard]] inline Secret secret_of(std::uint8_t byte) {
    Secret secret;
    secret.bytes().fill(byte);
    return secret;
}

[[nodiscard]] inline Certificate certificate_of(const std::string& name, const ExchangeKey& key) {
    Certificate certificate;
    certificate.kind = CertificateKind::node;
    certificate.name = name;
    certificate.roles = {"game"};
    certificate.zone = "default";
    certificate.static_key = {key.public_key().begin(), key.public_key().end()};
    certificate.not_before = now_at_first - 60;
    certificate.not_after = now_at_first + 3600;
    return certificate;
}

/// What the node of that name has when everything is right.
[[nodiscard]] inline LinkSecurity security_of(const std::string& name) {
    const auto root = root_of_zone();
    const auto key = ExchangeKey::from_secret(secret_of(static_cast<std::uint8_t>(name.front())));
    return {secret_of(9), {{root.public_key()}, "default"}, {key, sign_certificate(root, certificate_of(name, key))}};
}

// --- nodes -----------------------------------------------------------------------------------------------------------

/// Remembers when somebody tried to connect.
struct CountingTransport : transport::Transport {
    Result<std::unique_ptr<transport::Listener>> listen(runtime::Loop& loop, const std::string& address,
                                                        transport::ListenOptions options, OnAccept on_accept) override {
        return network.listen(loop, address, options, std::move(on_accept));
    }
    void connect(runtime::Loop& loop, const std::string& address, runtime::Duration timeout,
                 OnConnect on_connect) override {
        times.push_back(loop.now());
        network.connect(loop, address, timeout, [this, &loop, on_connect = std::move(on_connect)](auto got) {
            if (got && on_wire) *got = on_wire(loop, std::move(*got));
            on_connect(std::move(got));
        });
    }
    transport::MemoryTransport network;
    std::vector<runtime::Time> times;
    /// Somebody on the way of those who dial.
    std::function<std::shared_ptr<transport::Connection>(runtime::Loop&, std::shared_ptr<transport::Connection>)>
        on_wire;
};

/// A Measure of so many bytes is answered with more than a link carries.
constexpr std::size_t too_much_to_answer = 777;

/// A node with one role, put together as the program does it.
struct Node {
    Node(runtime::Loop& loop, transport::Transport& network, const std::string& name, std::uint64_t incarnation,
         const std::function<void(LinkOptions&)>& change)
        : bus{group, loop, 0, metrics}, links{group, loop, network, options(name, change), metrics} {
        links.secure(std::make_shared<const LinkSecurity>(security_of(name)));  // used when the options say so
        group.self = Incarnation{incarnation};
        group.node = name;
        group.buses.push_back(&bus);
        group.has_role[static_cast<std::size_t>(Role::game)] = true;
        role.on<Measure>([name](const Envelope&, const Measure& request) {
            const auto bytes = request.text.size();
            return Length{bytes, bytes == too_much_to_answer ? std::string(16U << 20U, 'r') : name};
        });
        role.on_raw(command_of<Silence>, [](const Envelope&) {});
        role.on<Told>([this](const Envelope&, const Told& note) { told.push_back(note.number); });
        role.watch([this](const Instance& instance, bool up) { heard.emplace_back(instance.node, up); });
    }
    static LinkOptions options(const std::string& name, const std::function<void(LinkOptions&)>& change) {
        LinkOptions made;
        made.cluster = "test";
        made.listen = addresses.at(name);
        for (const auto& [node, address] : addresses) {
            if (node != name) made.peers.push_back({node, address});
        }
        if (change) change(made);
        return made;
    }
    void start() {
        REQUIRE(links.start());
        role.announce(true, 0, {});
    }
    [[nodiscard]] bool sees(const std::string& node) const {
        const auto found = role.ready(Role::game);
        return std::any_of(found.begin(), found.end(), [&](const Instance& instance) { return instance.node == node; });
    }
    std::optional<Result<Length>>& call_silence(RoleAddress to, runtime::Duration deadline = 60s) {
        tasks.spawn(keep_result(role.call(to, Silence{}, deadline), &result), "call");
        return result;
    }

    Metrics metrics;
    BusGroup group;
    Bus bus;
    Links links;
    RoleBus role{bus, Role::game};
    std::vector<std::uint32_t> told;
    std::vector<std::pair<std::string, bool>> heard;
    std::optional<Result<Length>> result;
    runtime::Tasks tasks;
};

struct World {
    explicit World(bool links_encrypted) : encrypted{links_encrypted} {}
    Node& start(const std::string& name, std::uint64_t incarnation,
                const std::function<void(LinkOptions&)>& change = {}, const std::function<void(Node&)>& prepare = {}) {
        auto& loop = loops.emplace_back(time, name);
        auto& node = nodes[name];
        node = std::make_unique<Node>(loop, counting, name, incarnation, [&](LinkOptions& options) {
            options.encrypted = encrypted;
            if (change) change(options);
        });
        if (prepare) prepare(*node);
        node->start();
        return *node;
    }
    /// The process ends; the system closes its connections.
    void end(const std::string& name) {
        nodes.at(name)->links.stop();
        time.settle();
        nodes.at(name).reset();
    }
    /// The host is gone: nobody is told.
    void lose(const std::string& name) {
        for (const auto& [node, address] : addresses) network.set_cut(address, true);
        end(name);
        for (const auto& [node, address] : addresses) network.set_cut(address, false);
    }
    bool until(const std::function<bool()>& condition, runtime::Duration limit = 20s) {
        return time.run_until(condition, limit);
    }

    const bool encrypted;
    runtime::VirtualTime time;
    std::deque<runtime::VirtualLoop> loops;  // of earlier runs too
    CountingTransport counting;
    transport::MemoryTransport& network = counting.network;
    std::map<std::string, std::unique_ptr<Node>> nodes;
};

}  // namespace gs::cluster::links_test
