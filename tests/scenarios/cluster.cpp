#include "tests/scenarios/cluster.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "app/run.hpp"
#include "base/crypto/crypto.hpp"
#include "storage/operations.hpp"

namespace gs::scenarios {

namespace {

constexpr auto frame_length_max = std::size_t{1} << 20U;

}  // namespace

TestCluster::TestCluster()
    : TestCluster{{{"all", {Role::gateway, Role::login, Role::center, Role::game, Role::storage}}}} {}

TestCluster::TestCluster(std::vector<NodePlan> plan)
    : plan_{std::move(plan)}, log_level_before_{log::detail::level.load()} {
    const auto modules = compiled_modules();
    modules_.assign(modules.begin(), modules.end());
    // Faults are what these tests are about: their log lines would only hide a failure's own.
    log::set_level(log::Level::off);
    // A client whose connection ends is gone at once, unless a test is about coming back.
    set("game.resume_seconds", std::int64_t{0});
}

TestCluster::~TestCluster() {
    running_.clear();
    log::set_level(log_level_before_);
}

void TestCluster::set_on(const std::string& node, const std::string& path, SettingScalar value) {
    settings_of_[{node, path}] = std::move(value);
}
void TestCluster::set(const std::string& path, SettingScalar value) { settings_[path] = std::move(value); }

std::size_t TestCluster::index_of(const std::string& name) const {
    const auto place =
        std::find_if(plan_.begin(), plan_.end(), [&](const NodePlan& node) { return node.name == name; });
    REQUIRE(place != plan_.end());
    return static_cast<std::size_t>(place - plan_.begin());
}

std::string TestCluster::gateway_address(const std::string& name) const {
    return fmt::format("127.0.0.1:{}", 7000 + index_of(name));
}
std::string TestCluster::link_address(const std::string& name) const {
    return fmt::format("127.0.0.1:{}", 7100 + index_of(name));
}

std::string TestCluster::first_gateway() const {
    const auto place = std::find_if(plan_.begin(), plan_.end(),
                                    [](const NodePlan& node) { return node.roles.contains(Role::gateway); });
    REQUIRE(place != plan_.end());
    return place->name;
}

void TestCluster::start(const std::string& name) {
    auto running = std::make_unique<Running>(time_, name);
    auto& tree = running->tree;
    set_setting(tree, "storage.engine", std::string{"memory"});
    set_setting(tree, "gateway.tcp.address", gateway_address(name));
    set_setting(tree, "gateway.tcp.security", std::string{"none"});
    for (const auto& [path, value] : settings_) set_setting(tree, path, value);
    for (const auto& [where, value] : settings_of_) {
        if (where.first == name) set_setting(tree, where.second, value);
    }
    for (const auto& [path, count] : rows_) set_setting_rows(tree, path, count);
    for (const auto& [path, values] : lists_) set_setting(tree, path, values);

    app::NodeSettings settings;
    settings.name = name;
    settings.roles = plan_[index_of(name)].roles;
    settings.data_directory = key_directory();
    settings.serialise_local = true;
    settings.cluster = "test";
    settings.link_timeout = 5s;
    if (plan_.size() > 1) {
        settings.link_address = link_address(name);
        for (const auto& node : plan_)
            settings.rows.push_back({node.name, node.roles, link_address(node.name), {}, {}, {}});
    }
    app::NodeWorld world;
    world.loops = {&running->loop};
    while (world.loops.size() < plan_[index_of(name)].loops) {
        running->more_loops.push_back(
            std::make_unique<runtime::VirtualLoop>(time_, fmt::format("{}-{}", name, world.loops.size())));
        world.loops.push_back(running->more_loops.back().get());
    }
    world.transport = &network_;
    world.pool = &pool_;
    world.incarnation = ++incarnations_;
    world.threads = false;
    world.cpu = [this, name] { return cpu_[name]; };
    world.memory = [this, name] { return runtime::MemoryUse{memory_[name], 100, "a test"}; };
    running->node = std::make_unique<app::Node>(settings, tree, std::move(world), compiled_roles(), modules_);
    auto* at = running.get();
    running->node->start([at](const Error& error) { at->failure = error; });
    running_[name] = std::move(running);
}

void TestCluster::start() {
    for (const auto& node : plan_) {
        if (!running_.contains(node.name)) start(node.name);
    }
    if (run_until([this] { return is_ready(); })) return;
    for (const auto& [name, running] : running_) {
        UNSCOPED_INFO(name << ": "
                           << (running->failure ? running->failure->message() : running->node->not_ready_because()));
    }
    FAIL("the cluster did not become ready");
}

/// Every role is ready, and every node knows that of every other.
bool TestCluster::is_ready() const {
    std::size_t roles = 0;
    for (const auto& [name, running] : running_) roles += plan_[index_of(name)].roles.size();
    return std::all_of(running_.begin(), running_.end(), [&](const auto& entry) {
        const auto& instances = entry.second->node->home_bus().instances();
        const auto ready =
            std::count_if(instances.begin(), instances.end(), [](const auto& one) { return one.state.ready; });
        return static_cast<std::size_t>(ready) == roles;
    });
}

void TestCluster::kill(const std::string& name) { running_.erase(name); }

bool TestCluster::stop(const std::string& name) {
    bool stopped = false;
    auto& running = *running_.at(name);
    running.loop.post([&] { running.node->stop([&stopped] { stopped = true; }); });
    const bool in_time = run_until([&stopped] { return stopped; });
    running_.erase(name);
    return in_time;
}

void TestCluster::cut_links(const std::string& name, bool cut) { network_.set_cut(link_address(name), cut); }

std::string TestCluster::token(PlayerId who, const std::string& zone, std::chrono::seconds age) const {
    TokenClaims claims;
    claims.player = who;
    claims.account = "tester";
    claims.issued = std::chrono::time_point_cast<std::chrono::seconds>(time_.wall_now()) - age;
    claims.expires = claims.issued + 600s;
    claims.zone = zone;
    return sign_token(token_key(), claims);
}

cluster::RoleBus TestCluster::bus_near(Role role) {
    for (auto& [name, running] : running_) {
        if (plan_[index_of(name)].roles.contains(role)) return {running->node->home_bus(), role};
    }
    const auto& [name, running] = *running_.begin();
    return {running->node->home_bus(), *plan_[index_of(name)].roles.begin()};
}

std::string TestCluster::stored(PlayerId who, const std::string& component) {
    const auto loaded = call(Role::storage, storage::Load{{"player", static_cast<std::uint64_t>(who)}});
    for (const auto& part : loaded.value().components) {
        if (part.name == component) return part.data;
    }
    return {};
}

// --- TestClient ------------------------------------------------------------------------------------------------------

TestClient::TestClient(TestCluster& cluster, const std::string& gateway, Over over) : cluster_{cluster} {
    std::optional<Result<std::shared_ptr<transport::Connection>>> connected;
    const auto address = cluster.gateway_address(gateway.empty() ? cluster.first_gateway() : gateway);
    cluster.network().connect(cluster.client_loop(), address, 1s, [&](auto result) { connected = std::move(result); });
    REQUIRE(cluster.run_until([&] { return connected.has_value(); }));
    REQUIRE(connected->has_value());
    connection_ = std::move(**connected);
    if (over == Over::websocket)
        connection_ = transport::connect_websocket(cluster.client_loop(), std::move(connection_), address);
    open_ = true;
    connection_->start(*this);
}

TestClient::TestClient(TestCluster& cluster, PlayerId who, const std::string& gateway) : TestClient{cluster, gateway} {
    enter(who).value();
}

TestClient::~TestClient() { disconnect(); }

void TestClient::disconnect() {
    open_ = false;
    connection_->close();
}

Result<wire::ServerHello> TestClient::hello(wire::ClientHello hello) {
    wire::write_hello(connection_->output(), hello);
    static_cast<void>(cluster_.run_until([this] { return server_hello_.has_value() || !open_; }));
    if (!server_hello_) return Error{Code::deadline, "no hello came back"};
    return *server_hello_;
}

Result<wire::Entered> TestClient::enter_with(const std::string& token) {
    if (!server_hello_) {
        const auto answered = hello();
        if (!answered) return answered.error();
        if (answered->code != Code::ok) return Error::verbatim(answered->code, answered->message);
    }
    wire::Enter enter;
    enter.token = token;
    return send_enter(enter);
}

Result<wire::Entered> TestClient::send_enter(const wire::Enter& enter) {
    wire::write_framed(connection_->output(), {wire::Kind::request, false, command_of<wire::Enter>, 0}, enter);
    const auto body = answer_body(0);
    if (!body) return body.error();
    return session_;
}

Result<wire::Entered> TestClient::resume(const TestClient& before, const std::function<void(wire::Enter&)>& change,
                                         const wire::ClientHello& as) {
    const auto answered = hello(as);
    if (!answered) return answered.error();
    number_ = before.number_;
    last_request_ = before.last_request_;
    wire::Enter enter;
    enter.player = before.session_.player;
    enter.session = before.session_.session;
    enter.received = number_;
    enter.answered = last_request_;
    if (change) change(enter);
    if (enter.proof.empty()) enter.proof = wire::session_proof(before.session_.key, answered->nonce, enter);
    return send_enter(enter);
}

void TestClient::acknowledge(std::uint64_t number) {
    wire::write_framed(connection_->output(), {wire::Kind::control, false, command_of<wire::Ack>}, wire::Ack{number});
}

void TestClient::leave() {
    wire::write_framed(connection_->output(), {wire::Kind::control, false, command_of<wire::Leave>}, wire::Leave{});
}

Error TestClient::refused(Command command, BytesView body) {
    const auto id = ++last_request_;
    auto& out = connection_->output();
    const auto begin = wire::begin_frame(out);
    wire::write_header(out, {wire::Kind::request, false, command, id});
    out.append(body);
    wire::finish_frame(out, begin);
    const auto answered = answer_body(id);
    return answered ? Error{Code::ok, "it was not refused"} : answered.error();
}

Result<Binary> TestClient::answer_body(std::uint64_t id) {
    static_cast<void>(cluster_.run_until([&] { return answers_.contains(id) || !open_; }));
    const auto place = answers_.find(id);
    if (place == answers_.end()) return Error{Code::deadline, "no answer came"};
    auto [is_error, body] = std::move(place->second);
    answers_.erase(place);
    if (!is_error) return body;
    auto error = msgpack::decode<wire::ErrorBody>(body).value();
    return Error::verbatim(error.code, std::move(error.message));
}

bool TestClient::wait_closed(runtime::Duration limit) {
    return cluster_.run_until([this] { return !open_; }, limit);
}

std::size_t TestClient::on_bytes(BytesView bytes) {
    received_.append(bytes);
    for (;;) {
        const auto cut = wire::cut_frame(received_.view().subspan(parsed_), frame_length_max);
        if (cut.status != wire::FrameCut::Status::frame) return bytes.size();
        on_frame(cut.payload);
        parsed_ += cut.consumed();
    }
}

void TestClient::on_frame(BytesView payload) {
    if (!server_hello_) {
        auto hello = wire::parse_server_hello(payload);
        if (hello) server_hello_ = std::move(*hello);
        return;
    }
    const auto message = wire::parse_message(payload);
    if (message.fault != nullptr) FAIL("the server sent what cannot be read: " << message.fault);
    Binary body{message.body.begin(), message.body.end()};
    if (message.header.session != 0 && message.header.session != ++number_)
        FAIL("message " << message.header.session << " came where " << number_ << " was due");
    if (message.header.command == command_of<wire::Enter> && message.header.kind == wire::Kind::reply &&
        !message.header.error) {
        session_ = msgpack::decode<wire::Entered>(message.body).value();
        number_ = session_.next - 1;
    }
    if (message.header.kind == wire::Kind::reply) {
        const bool is_new =
            answers_.emplace(message.header.request_id, std::pair{message.header.error, std::move(body)}).second;
        if (!is_new) FAIL("request " << message.header.request_id << " was answered twice");
    } else if (message.header.kind == wire::Kind::push) {
        pushes_[message.header.command].push_back(std::move(body));
    } else if (message.header.command == command_of<wire::Close>) {
        goodbye_ = msgpack::decode<wire::Close>(body).value();
    } else if (message.header.command == command_of<wire::Queued>) {
        queued_.push_back(msgpack::decode<wire::Queued>(body).value());
    } else if (message.header.command == command_of<wire::Ping>) {
        const auto ping = msgpack::decode<wire::Ping>(body).value();
        wire::write_framed(connection_->output(), {wire::Kind::control, false, command_of<wire::Pong>, 0},
                           wire::Pong{ping.sent_us});
    }
}

void TestClient::on_closed(const Error& /*why*/) { open_ = false; }

}  // namespace gs::scenarios
