#pragma once
// A whole cluster in one thread on virtual time, and clients that play on it: a test reads as a short story.
//   TestCluster cluster;                 // one node with every role
//   cluster.start();
//   TestClient anna{cluster};
//   anna.enter(player(1)).value();
//   CHECK(anna.request(echo::Echo{"hello"})->text == "hello");
// Owner: the test; clients end before their cluster. Loop: the test's thread; every wait moves virtual time.
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "api/registry.hpp"
#include "api/session.hpp"
#include "app/node.hpp"
#include "runtime/virtual_loop.hpp"
#include "tests/scenarios/world.hpp"
#include "transport/memory/memory_transport.hpp"

namespace gs::scenarios {

using namespace std::chrono_literals;

[[nodiscard]] constexpr PlayerId player(std::uint64_t id) { return PlayerId{id}; }

struct NodePlan {
    std::string name;
    std::set<Role> roles;
    std::size_t loops = 1;  ///< its roles take turns at them; the first one is home to the links
};

class TestCluster {
public:
    /// One node named "all" with every role.
    TestCluster();
    explicit TestCluster(std::vector<NodePlan> plan);
    ~TestCluster();
    TestCluster(const TestCluster&) = delete;
    TestCluster& operator=(const TestCluster&) = delete;

    // --- before start
    void set(const std::string& path, SettingScalar value);
    void set(const std::string& path, SettingList values) { lists_[path] = std::move(values); }
    /// Of one node.
    void set_on(const std::string& node, const std::string& path, SettingScalar value);
    /// [[path]], so many of them; their keys are path[0].key and so on.
    void set_rows(const std::string& path, std::size_t count) { rows_[path] = count; }
    /// How busy a node's process is said to be, percent.
    void set_cpu(const std::string& node, std::uint32_t percent) { cpu_[node] = percent; }
    void set_memory(const std::string& node, std::uint32_t percent) { memory_[node] = percent; }
    void add_module(const ModuleInfo& module) { modules_.push_back(&module); }

    /// Starts every node that does not run and waits until all are ready.
    void start();
    /// Starts one node, without waiting.
    void start(const std::string& name);
    /// The process is gone from one moment to the next; what it had in memory is lost.
    void kill(const std::string& name);
    /// As SIGTERM does; false when it was not done within 30 s.
    [[nodiscard]] bool stop(const std::string& name);
    [[nodiscard]] bool is_ready() const;
    /// Drops everything that goes to or from the link address of `name`, silently, or delivers again.
    void cut_links(const std::string& name, bool cut);

    void advance(runtime::Duration duration) { time_.advance(duration); }
    [[nodiscard]] bool run_until(const std::function<bool()>& condition, runtime::Duration limit = 30s) {
        return time_.run_until(condition, limit);
    }

    [[nodiscard]] app::Node& node(const std::string& name) { return *running_.at(name)->node; }
    [[nodiscard]] double metric(const std::string& name, const std::string& series) {
        return read_metric(node(name).metrics(), series);
    }
    [[nodiscard]] const std::optional<Error>& failure(const std::string& name) const {
        return running_.at(name)->failure;
    }
    [[nodiscard]] std::string gateway_address(const std::string& name) const;
    [[nodiscard]] std::string first_gateway() const;
    [[nodiscard]] std::string token(PlayerId who, const std::string& zone = "default",
                                    std::chrono::seconds age = 0s) const;

    /// Asks a role from inside the cluster, as another role would.
    template <Call T>
    [[nodiscard]] Result<ReplyOf<T>> call(Role to, T request) {
        auto bus = bus_near(to);
        const auto address = bus.any(to);
        if (!address) return address.error();
        const auto future = bus.call(*address, std::move(request));
        if (!run_until([&] { return future.peek().has_value(); })) return Error{Code::deadline, "no answer"};
        return *future.peek();
    }
    /// The role of that node.
    template <Call T>
    [[nodiscard]] Result<ReplyOf<T>> call_at(const std::string& name, Role to, T request) {
        auto& home = node(name).home_bus();
        const auto future = cluster::RoleBus{home, to}.call({home.group().self, to}, std::move(request));
        if (!run_until([&] { return future.peek().has_value(); })) return Error{Code::deadline, "no answer"};
        return *future.peek();
    }
    /// What storage holds of a player's component, as JSON; empty: nothing.
    [[nodiscard]] std::string stored(PlayerId who, const std::string& component);

    [[nodiscard]] runtime::VirtualTime& time() { return time_; }
    [[nodiscard]] runtime::Loop& client_loop() { return client_loop_; }
    [[nodiscard]] transport::MemoryTransport& network() { return network_; }

private:
    struct Running {
        SettingsTree tree;
        runtime::VirtualLoop loop;
        std::vector<std::unique_ptr<runtime::VirtualLoop>> more_loops;
        std::unique_ptr<app::Node> node;
        std::optional<Error> failure;
        Running(runtime::VirtualTime& time, const std::string& name) : loop{time, name} {}
    };
    [[nodiscard]] std::size_t index_of(const std::string& name) const;
    [[nodiscard]] std::string link_address(const std::string& name) const;
    [[nodiscard]] cluster::RoleBus bus_near(Role role);

    std::vector<NodePlan> plan_;
    std::map<std::string, SettingScalar> settings_;
    std::map<std::pair<std::string, std::string>, SettingScalar> settings_of_;  // by node and path
    std::map<std::string, std::size_t> rows_;
    std::map<std::string, std::uint32_t> cpu_, memory_;
    std::map<std::string, SettingList> lists_;
    std::vector<const ModuleInfo*> modules_;
    log::Level log_level_before_;
    std::uint64_t incarnations_ = 0;
    runtime::VirtualTime time_;
    runtime::VirtualLoop client_loop_{time_, "clients"};
    transport::MemoryTransport network_;
    runtime::BlockingPool pool_{{0, 1}};
    std::map<std::string, std::unique_ptr<Running>> running_;
};

class TestClient final : private transport::ConnectionHandler {
public:
    enum class Over : std::uint8_t { tcp, websocket };
    /// Connects; an empty name means the first gateway.
    explicit TestClient(TestCluster& cluster, const std::string& gateway = {}, Over over = Over::tcp);
    /// And enters as that player.
    TestClient(TestCluster& cluster, PlayerId who, const std::string& gateway = {});
    ~TestClient();
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;

    /// Hello and the server's answer to it.
    [[nodiscard]] Result<wire::ServerHello> hello(wire::ClientHello hello = {});
    /// Hello, token, and the answer when the player is in.
    [[nodiscard]] Result<wire::Entered> enter(PlayerId who) { return enter_with(cluster_.token(who)); }
    [[nodiscard]] Result<wire::Entered> enter_with(const std::string& token);
    /// Goes on with the session of a client whose connection is over. `change` may spoil what is claimed.
    [[nodiscard]] Result<wire::Entered> resume(const TestClient& before,
                                               const std::function<void(wire::Enter&)>& change = {},
                                               const wire::ClientHello& as = {});
    /// The last number of the server's that came; each is one more than the one before, or the test fails.
    [[nodiscard]] std::uint64_t number() const { return number_; }
    void acknowledge(std::uint64_t number);
    /// Sends the request under an id of one's choice.
    template <class T>
    void send_again(const T& message, std::uint64_t id) {
        wire::write_framed(connection_->output(), {wire::Kind::request, false, command_of<T>, id}, message);
        last_request_ = std::max(last_request_, id);
    }
    /// Says that nobody will resume the session.
    void leave();

    /// Sends and does not wait; returns the request's id.
    template <class T>
    std::uint64_t send(const T& message) {
        const auto id = std::is_same_v<T, wire::Enter> ? 0 : ++last_request_;
        wire::write_framed(connection_->output(), {wire::Kind::request, false, command_of<T>, id}, message);
        return id;
    }
    /// Waits for the answer to a request that was sent.
    template <class T>
    [[nodiscard]] Result<ReplyOf<T>> answer(std::uint64_t id) {
        const auto body = answer_body(id);
        if (!body) return body.error();
        return msgpack::decode<ReplyOf<T>>(*body);
    }
    template <class T>
    [[nodiscard]] Result<ReplyOf<T>> request(const T& message) {
        return answer<T>(send(message));
    }
    /// Sends a request of any number and body; the error that answers it.
    [[nodiscard]] Error refused(Command command, BytesView body);
    [[nodiscard]] bool has_answer(std::uint64_t id) const { return answers_.contains(id); }

    /// The pushes of this type that came since the last asking, in their order; waits for nothing.
    template <Push T>
    [[nodiscard]] std::vector<T> pushes() {
        cluster_.advance(1ms);
        std::vector<T> found;
        for (const auto& body : std::exchange(pushes_[command_of<T>], {}))
            found.push_back(msgpack::decode<T>(body).value());
        return found;
    }

    void send_bytes(BytesView bytes) { connection_->output().append(bytes); }
    void send_text(std::string_view text) { send_bytes(as_bytes(text)); }
    void set_reading(bool reading) { connection_->set_reading(reading); }
    void disconnect();
    [[nodiscard]] bool is_open() const { return open_; }
    /// Waits until the server has ended the connection.
    [[nodiscard]] bool wait_closed(runtime::Duration limit = 60s);
    /// Why the server says that it closes, if it said so.
    [[nodiscard]] const std::optional<wire::Close>& goodbye() const { return goodbye_; }
    [[nodiscard]] const std::optional<wire::ServerHello>& server_hello() const { return server_hello_; }
    /// What it was told while it waited to be let in.
    [[nodiscard]] const std::vector<wire::Queued>& queued() const { return queued_; }
    /// Everything that came, as it came.
    [[nodiscard]] std::string_view received() const { return as_text(received_); }

private:
    std::size_t on_bytes(BytesView bytes) override;
    void on_closed(const Error& why) override;
    void on_frame(BytesView payload);
    [[nodiscard]] Result<Binary> answer_body(std::uint64_t id);
    [[nodiscard]] Result<wire::Entered> send_enter(const wire::Enter& enter);

    TestCluster& cluster_;
    std::shared_ptr<transport::Connection> connection_;
    Buffer received_;
    std::size_t parsed_ = 0;
    bool open_ = false;
    std::uint64_t last_request_ = 0, number_ = 0;
    wire::Entered session_;
    std::map<std::uint64_t, std::pair<bool, Binary>> answers_;  // whether it is an error, and the body
    std::map<Command, std::vector<Binary>> pushes_;
    std::vector<wire::Queued> queued_;
    std::optional<wire::Close> goodbye_;
    std::optional<wire::ServerHello> server_hello_;
};

}  // namespace gs::scenarios
