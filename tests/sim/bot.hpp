#pragma once
// An honest player of the simulation: logs in, plays, loses its connection, resumes its session through any gateway, or
// forgets it and logs in anew, and checks everything that it is told. Several bots may play one player, one taking over from the other.
// Owner: lives as long as the simulation. Loop: the clients'.
#include <set>

#include "modules/chat/messages.hpp"
#include "tests/scenarios/trial_module.hpp"
#include "tests/sim/client.hpp"
#include "tests/sim/ledger.hpp"

namespace gs::sim {

/// What all bots share.
struct BotWorld {
    runtime::Loop& loop;
    Network& network;
    Trace& trace;
    Ledger& ledger;
    std::vector<std::string> gateways;  ///< addresses
    std::vector<PlayerId> players;
    runtime::Duration think = std::chrono::milliseconds{500};  ///< the mean pause between two requests
    runtime::Duration patience = std::chrono::seconds{10};     ///< for a reply
    runtime::Duration guest_pause = std::chrono::seconds{20};  ///< the mean between two visits
    double leaves = 0.01, slow = 0.005;                        ///< probabilities of an action
    double forgets = 0.2;                                      ///< of a session whose connection is lost
    bool calendars_jump = false;
    bool healthy = false;  ///< the guests' hour: whoever plays for good and loses its connection stays away
    std::map<PlayerId, std::uint64_t> texts{};  ///< how many each player has written
    std::set<std::string> doubtful{};           ///< whispers that may have been done twice
};

[[nodiscard]] std::string token_of(const runtime::Loop& loop, PlayerId player, const std::string& zone = "default");

class Bot final : private ClientOwner {
public:
    /// A guest visits from time to time; another bot plays the same player for good.
    Bot(BotWorld& world, std::uint64_t seed, std::string host, PlayerId player, bool guest);

    void start();
    /// The faults are over: a guest stays away from now on, the others prove that they can play.
    void prove();
    /// A guest comes once more, and proves it too.
    void visit();
    [[nodiscard]] bool has_proved() const { return proved_; }
    [[nodiscard]] bool is_guest() const { return guest_; }
    /// Leaves for good.
    void end();

    [[nodiscard]] PlayerId player() const { return player_; }
    [[nodiscard]] bool is_entered() const { return client_.is_entered(); }
    [[nodiscard]] const std::string& host() const { return client_.host(); }
    [[nodiscard]] std::string state() const;

private:
    void on_entered() override;
    void on_resumed(bool gap) override;
    void on_push(Command command, BytesView body) override;
    bool wants_to_resume(const wire::Close& close) override;
    void on_lost(const wire::Close& close) override;

    void connect();
    void connect_later(runtime::Duration wait);
    void act_later();
    void act();
    void deposit(bool proof);
    void deposit_that_fails();
    void count();
    void write_note();
    void read_notes();
    void echo();
    void join(const std::string& channel);
    void say();
    void look_around();
    void whisper(PlayerId to);
    void check_whisper(const chat::Whispered& whispered);
    void stop_reading();
    void leave();
    void forget_what_was_seen();
    void check_visit(const wire::Close& close);
    void check_balance(std::uint64_t gold, const char* where);
    void check_line(const chat::Said& said);
    [[nodiscard]] std::string new_text();

    BotWorld& world_;
    Random random_;
    PlayerId player_;
    Client client_;
    bool guest_, visiting_ = false, ended_ = false, proving_ = false, proved_ = false;
    std::string token_;
    runtime::Time token_until_{};
    std::uint64_t actions_ = 0;  // a timer of an earlier session is not this one's
    // Of this session; a gap forgets what the loss of a server may take back.
    bool has_played_ = false;
    std::uint64_t gold_seen_ = 0;
    std::uint64_t note_confirmed_ = 0;
    std::uint64_t gaps_ = 0;  // how often it forgot what it had seen
    std::map<std::string, std::uint64_t> last_line_;
    std::map<std::pair<std::string, PlayerId>, std::uint64_t> last_text_;
    std::set<std::string> unanswered_, heard_;
};

}  // namespace gs::sim
