// Whole runs of bots against a small world that answers as the modules do, and can be told to do it wrong.
#include "client/bots/bots.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <catch2/catch.hpp>
#include "base/json_tree.hpp"

#include "client/bots/progress.hpp"
#include "client/bots/run.hpp"
#include "client/cpp/fake_gateway.hpp"
#include "modules/chat/messages.hpp"
#include "modules/echo/messages.hpp"
#include "modules/profile/messages.hpp"
#include "modules/trade/messages.hpp"

using namespace gs;
using namespace gs::bots;
using namespace std::chrono_literals;
using client::FakeGateway;

namespace {

enum class Fault {
    none,
    wrong_echo,
    line_lost,
    line_doubled,
    line_changed,
    whisper_lost,
    nickname_twice,
    motto_back,
    payment_stolen,
    told_twice,
    told_by_stranger,
    hang_up,
    refuses
};

class World {
public:
    explicit World(Fault fault = Fault::none) : fault_{fault} { accept_login(); }

    [[nodiscard]] BotOptions options(std::string scenario) const {
        BotOptions options;
        options.count = 6;
        options.scenario = std::move(scenario);
        options.time = 300ms;
        options.rate = 200;
        options.ramp = 0;
        options.login = fmt::format("http://127.0.0.1:{}", login_.local_endpoint().port());
        return options;
    }
    std::map<std::uint64_t, std::string> mottos;  // read them when the bots are done
    std::map<std::uint64_t, std::uint64_t> gold;

private:
    using Connection = FakeGateway::Connection;

    // A fault happens once in a while, not at each occasion.
    bool fault(Fault kind) { return fault_ == kind && ++occasions_ % 5 == 0; }

    void handle(Connection& from, const wire::MessageView& message) {
        if (fault_ == Fault::hang_up && ++occasions_ % 20 == 0) return from.lose_request();
        if (fault(Fault::refuses)) return from.refuse(message, Code::internal, "broken");
        const auto player = static_cast<std::uint64_t>(from.player);
        switch (message.header.command) {
            case command_of<echo::Echo>: {
                auto asked = read<echo::Echo>(message);
                if (fault(Fault::wrong_echo)) asked.text += "?";
                return from.reply<echo::Echo>(message, asked);
            }
            case command_of<chat::Join>: {
                const auto channel = read<chat::Join>(message).channel;
                members_[channel].insert(from.player);
                return from.reply<chat::Join>(message, {lines_[channel]});
            }
            case command_of<chat::Say>:
                return say(from, message);
            case command_of<chat::Whisper>: {
                const auto whisper = read<chat::Whisper>(message);
                auto* to = gateway_.session_of(whisper.to);
                if (to == nullptr) return from.refuse(message, Code::not_found, "not here");
                if (!fault(Fault::whisper_lost)) to->push(chat::Whispered{from.player, whisper.text});
                return from.reply<chat::Whisper>(message, {});
            }
            case command_of<profile::SetNickname>: {
                const auto nickname = read<profile::SetNickname>(message).nickname;
                const auto owner = nicknames_.try_emplace(nickname, player).first->second;
                if (owner != player && fault_ != Fault::nickname_twice)
                    return from.refuse(message, Code::conflict, "taken");
                return from.reply<profile::SetNickname>(message, {});
            }
            case command_of<profile::SetMotto>: {
                const auto motto = read<profile::SetMotto>(message).motto;
                const bool forgets = fault_ == Fault::motto_back && !mottos[player].empty();
                if (!forgets) mottos[player] = motto;
                return from.reply<profile::SetMotto>(message, {});
            }
            case command_of<profile::ViewOwnProfile>:
                return from.reply<profile::ViewOwnProfile>(message, {profile_of(player), "", 1});
            case command_of<profile::ViewProfile>:
                return from.reply<profile::ViewProfile>(
                    message, profile_of(static_cast<std::uint64_t>(read<profile::ViewProfile>(message).player)));
            case command_of<trade::Give>:
                return give(from, message);
            case command_of<trade::Redeem>: {
                const auto redeem = read<trade::Redeem>(message);
                const auto [owner, is_new] = payments_.try_emplace(redeem.payment, player);
                if (owner->second != player && fault_ != Fault::payment_stolen)
                    return from.refuse(message, Code::conflict, "taken");
                if (is_new) gold[player] += redeem.gold;
                return from.reply<trade::Redeem>(message, {gold[player]});
            }
            default:
                from.refuse(message, Code::unknown_command, "what?");
        }
    }

    void say(Connection& from, const wire::MessageView& message) {
        const auto say = read<chat::Say>(message);
        auto& lines = lines_[say.channel];
        lines.push_back({lines.size() + 1, from.player, say.text});
        from.reply<chat::Say>(message, {lines.size()});
        auto said = chat::Said{say.channel, lines.back()};
        if (fault(Fault::line_changed)) said.line.text += "?";
        const bool twice = fault(Fault::line_doubled);
        if (fault(Fault::line_lost)) return;
        for (const auto member : members_[say.channel]) {
            auto* to = find(member);
            if (to == nullptr) continue;
            to->push(said);
            if (twice) to->push(said);
        }
    }

    void give(Connection& from, const wire::MessageView& message) {
        const auto give = read<trade::Give>(message);
        const auto player = static_cast<std::uint64_t>(from.player);
        auto* to = gateway_.session_of(give.to);
        if (to == nullptr) return from.refuse(message, Code::not_found, "not here");
        if (++occasions_ % 7 == 0) return from.refuse(message, Code::busy, "not now");
        if (gold[player] < give.gold) return from.refuse(message, Code::conflict, "too little");
        if (deals_.insert(give.deal).second) {
            gold[player] -= give.gold;
            gold[static_cast<std::uint64_t>(give.to)] += give.gold;
            trade::Given given{from.player, give.gold, 0, give.deal};
            if (fault(Fault::told_by_stranger)) given.from = PlayerId{999};
            to->push(given);
            if (fault(Fault::told_twice)) to->push(given);
        }
        from.reply<trade::Give>(message, {gold[player]});
    }

    profile::PublicProfile profile_of(std::uint64_t player) {
        const auto nickname =
            std::find_if(nicknames_.begin(), nicknames_.end(), [&](const auto& item) { return item.second == player; });
        return {PlayerId{player}, nickname == nicknames_.end() ? "" : nickname->first, mottos[player]};
    }

    Connection* find(PlayerId player) {
        for (const auto& connection : gateway_.connections()) {
            if (connection->player == player) return connection.get();
        }
        return nullptr;
    }

    template <class Body>
    static Body read(const wire::MessageView& message) {
        return msgpack::decode<Body>(message.body).value();
    }

    // --- login ---
    struct LoginTalk {
        explicit LoginTalk(asio::ip::tcp::socket accepted) : socket{std::move(accepted)} {}
        asio::ip::tcp::socket socket;
        asio::streambuf input{4096};
        std::string answer;
    };
    void accept_login() {
        login_.async_accept([this](asio::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            answer_login(std::make_shared<LoginTalk>(std::move(socket)));
            accept_login();
        });
    }
    void answer_login(const std::shared_ptr<LoginTalk>& talk) {
        asio::async_read_until(
            talk->socket, talk->input, "{}", [this, talk](asio::error_code error, std::size_t count) {
                if (error) return;  // only new guests come: "{}"
                talk->input.consume(count);
                const nlohmann::json body{
                    {"token", std::to_string(++players_)},
                    {"expires_at", 4'000'000'000},
                    {"player", std::to_string(players_)},
                    {"guest_key", "key"},
                    {"gateways",
                     {{{"name", "g"}, {"address", fmt::format("127.0.0.1:{}", gateway_.port())}, {"load", 0.0}}}}};
                const auto text = body.dump();
                talk->answer =
                    fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                                text.size(), text);
                asio::async_write(talk->socket, asio::buffer(talk->answer),
                                  [this, talk](asio::error_code failed, std::size_t) {
                                      if (!failed) answer_login(talk);
                                  });
            });
    }

    Fault fault_;
    std::uint64_t occasions_ = 0, players_ = 0;
    std::map<std::string, std::vector<chat::Line>> lines_;
    std::map<std::string, std::set<PlayerId>> members_;
    std::map<std::string, std::uint64_t> nicknames_, payments_;
    std::set<std::string> deals_;
    FakeGateway gateway_{[this](Connection& from, const wire::MessageView& message) { handle(from, message); }};
    asio::ip::tcp::acceptor login_{gateway_.io(), {asio::ip::make_address_v4("127.0.0.1"), 0}};
};

struct Outcome {
    Statistics statistics;
    std::string report, json;
};

Outcome play(const BotOptions& options) {
    Run run{options};
    run.play();
    return {run.statistics, readable_report(run), json_report(run)};
}

}  // namespace

TEST_CASE("bots: every scenario goes through without errors in a sound world", "[client][NEW-08][TOL-03]") {
    World world;
    const auto scenario = GENERATE("echo", "chat", "profile", "trade", "whisper", "mixed");
    const auto outcome = play(world.options(scenario));
    INFO(outcome.report);
    CHECK(outcome.statistics.errors == 0);
    CHECK(outcome.statistics.players_in_most == 6);
    CHECK(outcome.statistics.players_in == 0);
    CHECK(outcome.statistics.requests > 20);
    CHECK(outcome.statistics.latency.percentile(0.5) > 0us);
    CHECK(parse_json(outcome.json)["requests"] == outcome.statistics.requests);
}

TEST_CASE("bots: a world that does something wrong is found out", "[client][NEW-08][TOL-03]") {
    const auto [fault, scenario, words] = GENERATE(table<Fault, const char*, const char*>({
        {Fault::wrong_echo, "echo", "back"},
        {Fault::line_lost, "chat", "lost"},
        {Fault::line_doubled, "chat", "doubled"},
        {Fault::line_changed, "chat", "never said"},
        {Fault::whisper_lost, "chat", "whisper"},
        {Fault::nickname_twice, "profile", "it got the nickname"},
        {Fault::motto_back, "profile", "the motto is"},
        {Fault::payment_stolen, "trade", "it redeemed payment"},
        {Fault::told_twice, "trade", "it was told twice of deal"},
        {Fault::told_by_stranger, "trade", "player 999 gave it gold"},
        {Fault::hang_up, "echo", "was disconnected"},
        {Fault::refuses, "echo", "internal: broken"},
    }));
    World world{fault};
    const auto outcome = play(world.options(scenario));
    CAPTURE(words, outcome.report);
    CHECK(outcome.statistics.errors > 0);
    CHECK(outcome.report.find(words) != std::string::npos);
}

TEST_CASE("bots: with survive lost connections are no errors and the ledger holds", "[client][NEW-08][TOL-03]") {
    World world{Fault::hang_up};
    auto options = world.options("mixed");
    options.survive = true;
    options.time = 1s;
    const auto file = std::filesystem::temp_directory_path() / fmt::format("gs-ledger-{}", ::getpid());
    options.ledger_file = file.string();
    const auto outcome = play(options);
    INFO(outcome.report);
    CHECK(outcome.statistics.errors == 0);
    CHECK(outcome.statistics.resumes > 0);
    CHECK(outcome.statistics.reconnects == 0);
    std::map<std::string, nlohmann::json> last;
    std::ifstream ledger{file};
    for (std::string line; std::getline(ledger, line);) {
        auto entry = parse_json(line);
        last[entry["player"].get<std::string>()] = entry;
    }
    std::filesystem::remove(file);
    CHECK(last.size() == 6);
    for (const auto& [player, entry] : last) {
        const auto motto = world.mottos[std::stoull(player)];
        const auto held = motto.empty() ? 0 : std::stoull(motto.substr(2));
        CHECK(entry["confirmed"] <= held);
        CHECK(entry["attempted"] >= held);
    }
}

TEST_CASE("bots: the ledger of trade says where all gold has gone", "[client][NEW-04][TOL-03]") {
    World world{Fault::hang_up};
    auto options = world.options("trade");
    options.survive = true;
    options.time = 1s;
    const auto file = std::filesystem::temp_directory_path() / fmt::format("gs-trade-{}", ::getpid());
    options.ledger_file = file.string();
    const auto outcome = play(options);
    INFO(outcome.report);
    CHECK(outcome.statistics.errors == 0);
    CHECK(outcome.statistics.resumes > 0);
    std::map<std::string, nlohmann::json> asked;
    std::map<std::string, std::uint64_t> gold;
    std::map<std::string, int> ends;
    std::ifstream ledger{file};
    for (std::string line; std::getline(ledger, line);) {
        const auto entry = parse_json(line);
        const auto change = entry["change"].get<std::string>(), state = entry["state"].get<std::string>();
        ++ends[state];
        if (state == "asked") {
            CHECK(asked.emplace(change, entry).second);
        } else if (state == "done") {
            const auto& what = asked.at(change);
            CHECK(what["player"] == entry["player"]);
            const auto pieces = what["gold"].get<std::uint64_t>();
            if (what["kind"] == "give") {
                gold[what["to"].get<std::string>()] += pieces;
                gold[what["player"].get<std::string>()] -= pieces;
            } else {
                CHECK(what["kind"] == "payment");
                gold[what["player"].get<std::string>()] += pieces;
            }
        }
    }
    std::filesystem::remove(file);
    CHECK(ends["done"] > 20);
    CHECK(ends["refused"] > 0);
    CHECK(ends["done"] + ends["refused"] == static_cast<int>(asked.size()));  // nothing stayed unknown in this world
    for (const auto& [player, pieces] : gold) CHECK(world.gold[std::stoull(player)] == pieces);
}

TEST_CASE("bots: whispers stay whole while connections are lost", "[client][TOL-03][SES-07]") {
    World world{Fault::hang_up};
    auto options = world.options("whisper");
    options.survive = true;
    options.time = 2s;
    const auto outcome = play(options);
    INFO(outcome.report);
    CHECK(outcome.statistics.errors == 0);
    CHECK(outcome.statistics.resumes > 0);
    CHECK(outcome.statistics.unknown == 0);
    CHECK(outcome.statistics.resume_time.percentile(0.5) > 0us);
    CHECK(outcome.report.find("resumes") != std::string::npos);
    CHECK(parse_json(outcome.json).at("resumes") == outcome.statistics.resumes);
}

TEST_CASE("bots: wrong use is refused with code 2", "[client][NEW-08]") {
    BotOptions options;
    SECTION("scenario") { options.scenario = "nonsense"; }
    SECTION("count") { options.count = 0; }
    SECTION("more bots than files") { options.count = 1'000'000'000; }
    SECTION("login") { options.login = "127.0.0.1"; }
    SECTION("ledger") { options.ledger_file = "/no/such/folder/ledger"; }
    CHECK(run_bots(options) == 2);
}

TEST_CASE("bots: no server means exit code 1", "[client][NEW-08]") {
    BotOptions options;
    options.count = 2;
    options.login = "http://127.0.0.1:1";
    options.json_file = "-";
    CHECK(run_bots(options) == 1);
}
