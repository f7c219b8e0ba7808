// Encrypted links: who gets none, and what is said about it.
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "base/log.hpp"
#include "cluster/links_tap.hpp"
#include "storage/scratch_directory.hpp"
#include "wire/frame.hpp"

namespace gs::cluster::links_test {
namespace {

using wire::noise::Side;

/// The log goes to a file for as long as this lives.
class LogFile {
public:
    LogFile() {
        log::Options options;
        options.file = directory_.file("log");
        log::start(options);
    }
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;
    ~LogFile() { log::stop(); }
    [[nodiscard]] std::string text() {
        log::stop();
        std::stringstream all;
        all << std::ifstream{directory_.file("log")}.rdbuf();
        return all.str();
    }

private:
    storage::ScratchDirectory directory_;
};

double complaints(Node& node) {
    const auto page = node.metrics.to_prometheus_text();
    const std::string series{"\ngameserver_link_complaints_total "};
    return std::stod(page.substr(page.find(series) + series.size()));
}

void show(Node& node, const LinkSecurity& security) {
    node.links.secure(std::make_shared<const LinkSecurity>(security));
}

/// Of node a, signed again after the change.
LinkSecurity changed(const std::function<void(Certificate&)>& change, std::uint8_t root = 1) {
    auto security = security_of("a");
    auto certificate = certificate_of("a", security.own.key);
    change(certificate);
    security.own.certificate = sign_certificate(root_of_zone(root), certificate);
    return security;
}

}  // namespace

TEST_CASE("who has not what a node must have gets no link and both sides say why", "[cluster][noise][MSG-06][CLU-09]") {
    struct Case {
        const char* what;
        std::function<void(Node&)> a;
        std::function<void(LinkOptions&)> options;  ///< of a
        std::string said_by_a, said_by_b;           ///< a dials
    };
    const auto other_key = ExchangeKey::from_secret(secret_of(77));
    const std::string closed_early{
        "no link with 10.0.0.2:7100: the other side closed the connection (are links.security and cluster.name the "
        "same "
        "there? The log of the other node says more)"};
    const auto shows = [](const LinkSecurity& security) { return [security](Node& node) { show(node, security); }; };
    auto wrong_key = security_of("a");
    wrong_key.cluster_key = secret_of(10);
    auto wrong_trust = security_of("a");
    wrong_trust.trust.roots = {root_of_zone(2).public_key()};
    auto stolen = security_of("a");  // the certificate of a, and not its key
    stolen.own.key = other_key;
    const std::vector<Case> cases{
        {"another cluster key",
         shows(wrong_key),
         {},
         "(do both have the same cluster.key? The log of the other node says more)",
         "the handshake failed at the cluster key: do both have the same cluster.key?"},
        {"a certificate of another root",
         shows(changed([](Certificate&) {}, 2)),
         {},
         "node b refuses the link: the certificate is not signed by a root that is trusted here",
         "the certificate is not signed by a root that is trusted here"},
        {"it trusts another root",
         shows(wrong_trust),
         {},
         "no link with 10.0.0.2:7100: the certificate is not signed by a root that is trusted here",
         "(does it trust the root that signed the certificate of this node"},
        {"an expired certificate",
         shows(changed([](Certificate& it) { it.not_after = now_at_first; })),
         {},
         "node b refuses the link: the certificate of a expired at 2030-03-17 17:46 UTC",
         "the certificate of a expired at 2030-03-17 17:46 UTC"},
        {"a certificate that is not valid yet",
         shows(changed([](Certificate& it) { it.not_before = now_at_first + 60; })),
         {},
         "node b refuses the link: the certificate of a is valid from",
         "are the clocks right?"},
        {"another zone",
         shows(changed([](Certificate& it) { it.zone = "other"; })),
         {},
         "node b refuses the link: the certificate is for zone \"other\"; this is zone \"default\"",
         "the certificate is for zone \"other\"; this is zone \"default\""},
        {"the certificate of a gateway",
         shows(changed([](Certificate& it) { it.kind = CertificateKind::gateway; })),
         {},
         "node b refuses the link: the certificate is one for a gateway; one for a node is needed",
         "the certificate is one for a gateway"},
        {"the certificate of another node",
         shows(changed([](Certificate& it) { it.name = "c"; })),
         {},
         "node b refuses the link: its certificate is for node \"c\", and it calls itself \"a\"",
         "its certificate is for node \"c\", and it calls itself \"a\""},
        {"a certificate that is not of its key",
         shows(stolen),
         {},
         "node b refuses the link: the certificate of a is for another key than the one it uses",
         "the certificate of a is for another key than the one it uses"},
        {"another cluster",
         {},
         [](LinkOptions& options) { options.cluster = "other"; },
         closed_early,
         "it began a handshake that is not for this cluster; is cluster.name \"test\" there too?"},
        {"no encryption",
         {},
         [](LinkOptions& options) { options.encrypted = false; },
         "no link with 10.0.0.2:7100: node 10.0.0.2:7100 refuses the link: links are encrypted there; set "
         "links.security alike on all nodes",
         "it speaks without encryption, and here links are encrypted; set links.security alike on all nodes"},
    };
    const auto index = GENERATE(range(0, 11));
    const auto& [what, prepare, options, said_by_a, said_by_b] = cases.at(static_cast<std::size_t>(index));
    CAPTURE(what);
    LogFile log;
    World world{true};
    auto& b = world.start("b", 2);
    auto& a = world.start("a", 1, options, prepare);
    world.time.advance(20s);
    CHECK(a.links.connected() == 0);
    CHECK(b.links.connected() == 0);
    CHECK(a.heard.size() == 1);  // itself
    CHECK(b.heard.size() == 1);
    CHECK_FALSE(a.role.send(b.role.address(), Told{1, {}}));
    CHECK(complaints(a) >= 1);
    CHECK(complaints(b) >= 1);
    const auto text = log.text();
    CHECK_THAT(text, Catch::Contains(said_by_a));
    CHECK_THAT(text, Catch::Contains("no link with 127.0.0.1:") && Catch::Contains(said_by_b));
}

TEST_CASE("a node that dials without a certificate for what it dials goes no further", "[cluster][noise][MSG-06]") {
    struct Case {
        std::function<void(LinkOptions&)> options;  ///< of b, which listens
        std::function<void(Node&)> b;
        std::string said_by_a, said_by_b;
    };
    const auto as_c = [](Node& node) { show(node, security_of("c")); };
    const std::vector<Case> cases{
        {{},
         as_c,
         "no link with 10.0.0.2:7100: it is node \"c\", the config calls it \"b\"",
         "and is this the node that its config names? The log of the other node says more)"},
        {[](LinkOptions& options) { options.encrypted = false; },
         {},
         "no link with 10.0.0.2:7100: it speaks without encryption, and here links are encrypted; set links.security "
         "alike on all nodes",
         "speaks encrypted, and here links are not encrypted; set links.security alike on all nodes"},
    };
    const auto index = GENERATE(range(0, 2));
    const auto& [options, prepare, said_by_a, said_by_b] = cases.at(static_cast<std::size_t>(index));
    LogFile log;
    TappedWorld world;
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2, options, prepare);
    world.time.advance(20s);
    CHECK(a.links.connected() == 0);
    CHECK(b.links.connected() == 0);
    // Its own key and certificate stay with it.
    for (const auto& wire : world.wires) CHECK(frame_ends(wire->sent).size() <= 2);
    CHECK(as_text(world.wires.front()->sent).find("game") == std::string_view::npos);
    CHECK(complaints(a) >= 1);
    CHECK(complaints(b) >= 1);
    const auto text = log.text();
    CHECK_THAT(text, Catch::Contains(said_by_a));
    CHECK_THAT(text, Catch::Contains(said_by_b));
}

TEST_CASE("a node that takes a role which its certificate does not give it loses the link",
          "[cluster][noise][MSG-06][CLU-09]") {
    LogFile log;
    World world{true};
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    RoleBus storage{a.bus, Role::storage};
    SECTION("announced") {
        storage.announce(true, 0, {});
        world.time.settle();
        CHECK(b.role.ready(Role::storage).empty());
    }
    SECTION("in the name of which it speaks") {
        static_cast<void>(storage.send(b.role.address(), Told{1, {}}));
        world.time.settle();
        CHECK(b.told.empty());
    }
    CHECK(b.links.connected() == 0);
    world.time.settle();
    CHECK(a.links.connected() == 0);
    CHECK(complaints(a) == 1);
    CHECK(complaints(b) == 1);
    CHECK_THAT(log.text(), Catch::Contains("node b refuses the link: its certificate does not give node \"a\" the role "
                                           "storage; certify it again with --roles") &&
                               Catch::Contains("link with a refused: its certificate does not give node \"a\" the "
                                               "role storage"));
}

TEST_CASE("the error of a node that has not the role which was asked takes no link down", "[cluster][noise][MSG-06]") {
    World world{true};
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    auto& no_role = a.call_silence({Incarnation{2}, Role::center});
    CHECK(world.until([&] { return no_role.has_value(); }, 1s));
    CHECK(no_role->error().code() == Code::unavailable);
    world.time.settle();
    CHECK(a.links.connected() == 1);
}

TEST_CASE("nobody answers for another node", "[cluster][noise][MSG-06][MSG-02]") {
    World world{GENERATE(false, true)};
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    auto& c = world.start("c", 3);
    REQUIRE(world.until([&] { return a.sees("b") && a.sees("c") && c.sees("a"); }));
    auto& pending = a.call_silence(b.role.address(), 2s);
    world.time.settle();
    const auto kind = GENERATE(Envelope::Kind::reply, Envelope::Kind::error);
    for (std::uint64_t call = 1; call <= 10; ++call) {
        Envelope forged;
        forged.kind = kind;
        forged.from = c.role.address();
        forged.to = a.role.address();
        forged.call_id = call;
        const auto body = msgpack::encode(Length{666, "c"});
        forged.body = body;
        REQUIRE(c.links.carry(forged));
    }
    world.time.settle();
    CHECK_FALSE(pending);
    REQUIRE(world.until([&] { return pending.has_value(); }));
    CHECK(pending->error().code() == Code::deadline);
    CHECK_THAT(a.metrics.to_prometheus_text(), Catch::Contains("gameserver_bus_undeliverable_total 1\n"));
}

TEST_CASE("a handshake that is not finished in time is given up", "[cluster][noise][MSG-06]") {
    World world{true};
    auto& b = world.start("b", 2);
    class Dripping final : public transport::ConnectionHandler {
    public:
        std::size_t on_bytes(BytesView bytes) override { return bytes.size(); }
        void on_closed(const Error& /*why*/) override { closed = true; }
        bool closed = false;
    };
    Dripping dripping;
    std::shared_ptr<transport::Connection> connection;
    world.network.connect(world.loops.front(), addresses.at("b"), 1s, [&](auto got) {
        connection = std::move(got).value();
        connection->start(dripping);
    });
    world.time.settle();
    const auto began = world.time.now();
    connection->output().append(std::array<std::uint8_t, 4>{100, 0, 0, 0});  // it says how long its frame will be
    while (!dripping.closed && world.time.now() - began < 20s) {
        connection->output().push_back(1);
        world.time.advance(500ms);
    }
    CHECK(dripping.closed);
    CHECK(world.time.now() - began <= 7s);
    CHECK(complaints(b) == 1);
    connection->close();
}

TEST_CASE("connections that are no links yet have a bound", "[cluster][noise][CLU-10]") {
    World world{GENERATE(false, true)};
    auto& b = world.start("b", 2);
    std::vector<std::unique_ptr<Stranger>> strangers;
    const auto open = [&] {
        return std::count_if(strangers.begin(), strangers.end(),
                             [](const auto& stranger) { return !stranger->closed; });
    };
    for (int count = 0; count < 300; ++count)
        strangers.push_back(std::make_unique<Stranger>(world, addresses.at("b"), BytesView{}));
    CHECK(open() == 256);
    CHECK(complaints(b) == 1);
    // They keep no node out, and go.
    auto& a = world.start("a", 1);
    CHECK(world.until([&] { return a.sees("b") && b.sees("a"); }, 2s));
    CHECK(open() > 200);
    CHECK(world.until([&] { return open() == 0; }, 8s));
    CHECK(a.sees("b"));
}

TEST_CASE("no node takes the incarnation of another one", "[cluster][noise][CLU-10]") {
    World world{GENERATE(false, true)};
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    const Incarnation taken{GENERATE(std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2})};
    auto& c = world.start("c", static_cast<std::uint64_t>(taken));
    world.time.advance(5s);
    CHECK_FALSE(a.sees("c"));
    CHECK_FALSE(c.sees("a"));
    CHECK(complaints(a) >= 1);
    CHECK(a.sees("b"));
    CHECK(a.links.connected() == 1);
}

TEST_CASE("a renewed certificate is shown by the next handshake and one that ends keeps standing links",
          "[cluster][noise][MSG-06]") {
    World world{true};
    auto& a = world.start("a", 1);
    auto& b = world.start("b", 2);
    REQUIRE(world.until([&] { return a.sees("b") && b.sees("a"); }));
    world.time.jump_wall(2h);
    world.time.advance(10s);
    CHECK(a.links.connected() == 1);
    world.network.set_cut(addresses.at("b"), true);
    world.time.advance(7s);
    world.network.set_cut(addresses.at("b"), false);
    world.time.advance(10s);
    CHECK(a.links.connected() == 0);
    for (const std::string name : {"a", "b"}) {
        auto renewed = security_of(name);
        auto certificate = certificate_of(name, renewed.own.key);
        certificate.not_after += 7'200;
        renewed.own.certificate = sign_certificate(root_of_zone(), certificate);
        show(*world.nodes.at(name), renewed);
    }
    CHECK(world.until([&] { return a.sees("b") && b.sees("a"); }, 3s));
}

TEST_CASE("links that are to be encrypted do not start without keys", "[cluster][noise][MSG-06]") {
    World world{true};
    auto& loop = world.loops.emplace_back(world.time, "a");
    Node node{loop, world.counting, "a", 1, [](LinkOptions& options) { options.encrypted = true; }};
    node.links.secure(nullptr);
    const auto started = node.links.start();
    REQUIRE_FALSE(started);
    CHECK_THAT(started.error().message(), Catch::Contains("are to be encrypted and have no key"));
}

TEST_CASE("nodes with different link protocols say so", "[cluster][noise][MSG-06][CLU-09]") {
    const auto security = [](const std::string& name) {
        return std::make_shared<const LinkSecurity>(security_of(name));
    };
    LinkHandshake dialler{Side::initiator, {4, "test"}, security("a"), "b"};
    LinkHandshake listener{Side::responder, {5, "test"}, security("b")};
    Buffer first;
    Buffer second;
    Buffer third;
    dialler.begin(first);
    const auto refused = listener.take(first.view().subspan(4), now_at_first, second);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message() == "link protocol 5 is spoken here, 4 there; run the same version");
    CHECK(second.size() == 10);
    const auto told = dialler.take(second.view().subspan(4), now_at_first, third);
    REQUIRE_FALSE(told);
    CHECK(told.error().message() == "link protocol 4 is spoken here, 5 there; run the same version");
    CHECK(third.empty());
}

TEST_CASE("a key with which everybody agrees on zero begins no link", "[cluster][noise][MSG-06]") {
    LinkHandshake listener{Side::responder, {4, "test"}, std::make_shared<const LinkSecurity>(security_of("b"))};
    // Nothing in the first message is secret, so a stranger can make it for any ephemeral key.
    const ExchangePublicKey zero{};
    Buffer frame;
    frame.append(as_bytes({"GSN1\4\0", 6}));
    wire::noise::SymmetricState state{"Noise_XXpsk3_25519_ChaChaPoly_SHA256"};
    state.mix_hash(as_bytes({"GSN1\4\0test", 10}));
    state.mix_hash(zero);
    state.mix_key(Secret{zero});
    frame.append(zero);
    REQUIRE(state.encrypt_and_hash({}, frame));
    Buffer answer;
    const auto refused = listener.take(frame, now_at_first, answer);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message(), Catch::Contains("not a usable one"));
    CHECK(answer.empty());
}

}  // namespace gs::cluster::links_test
