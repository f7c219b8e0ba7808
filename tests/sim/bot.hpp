#pragma once
// An honest player of the simulation: logs in, plays, loses its connection, resumes its session through any gateway, or
// forgets it and logs in anew. What it does while it plays is up to its scripts, one for each workload. Several bots may
// play one player, one taking over from the other.
// Owner: lives as long as the simulation. Loop: the clients'.
#include "tests/sim/client.hpp"
#include "tests/sim/workload.hpp"

namespace gs::sim {

/// What all clients share.
struct BotWorld {
    World& world;
    runtime::Loop& loop;
    Network& network;
    Trace& trace;
    std::vector<std::string> gateways;  ///< addresses
    std::vector<std::unique_ptr<Workload>>& workloads;
    runtime::Duration think = std::chrono::milliseconds{500};  ///< the mean pause between two requests
    runtime::Duration patience = std::chrono::seconds{10};     ///< for a reply
    runtime::Duration guest_pause = std::chrono::seconds{20};  ///< the mean between two visits
    double leaves = 0.01, slow = 0.005;                        ///< probabilities of an action
    double forgets = 0.2;                                      ///< of a session whose connection is lost
    bool calendars_jump = false;
    bool healthy = false;  ///< the guests' hour: whoever plays for good and loses its connection stays away
    std::vector<Bot*> bots{};
    std::uint64_t sessions = 0;                           ///< how many have begun
    std::map<PlayerId, std::vector<Binary>> overheard{};  ///< how clients resumed: whole frames of Enter
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
    [[nodiscard]] bool has_proved() const { return proved_ == scripts_.size(); }
    [[nodiscard]] bool is_guest() const { return guest_; }
    /// Leaves for good.
    void end();

    [[nodiscard]] PlayerId player() const { return player_; }
    [[nodiscard]] bool is_entered() const { return client_.is_entered(); }
    [[nodiscard]] bool in_session() const { return client_.in_session(); }
    [[nodiscard]] const std::string& host() const { return client_.host(); }
    [[nodiscard]] std::string state() const;

    // --- for scripts
    [[nodiscard]] Random& random() { return random_; }
    [[nodiscard]] runtime::Duration patience() const { return world_.patience; }
    /// Rises with each session and each gap: what was expected before it may not come.
    [[nodiscard]] std::uint64_t era() const { return era_; }
    /// `done` is called once, with the reply or the error, also in a later connection of the session, or after its end.
    template <Request R>
    void request(const R& message, std::function<void(const Result<ReplyOf<R>>&)> done) {
        request(message, world_.patience, std::move(done));
    }
    template <Request R>
    void request(const R& message, runtime::Duration patience, std::function<void(const Result<ReplyOf<R>>&)> done) {
        client_.request(message, patience, std::move(done));
    }
    void note(const char* what, std::uint64_t first = 0, std::uint64_t second = 0) {
        world_.trace.note(what, host(), first, second);
    }
    /// `what` follows the name of the bot.
    void fail(std::string_view what) { world_.trace.fail(fmt::format("{} {}", host(), what)); }

private:
    void on_entered() override;
    void on_resumed(bool gap) override;
    void on_push(Command command, BytesView body) override;
    void on_resume_sent(BytesView frame) override;
    bool wants_to_resume(const wire::Close& close) override;
    void on_lost(const wire::Close& close) override;

    void connect();
    void connect_later(runtime::Duration wait);
    void act_later();
    void act();
    void prove_with(std::size_t script);
    void stop_reading();
    void leave();
    void leave_scripts();
    void check_visit(const wire::Close& close);
    void check_takeover(const wire::Close& close) const;

    BotWorld& world_;
    Random random_;
    PlayerId player_;
    Client client_;
    bool guest_, visiting_ = false, ended_ = false, proving_ = false;
    std::vector<std::unique_ptr<Script>> scripts_;
    std::uint64_t weight_ = 0;  // of all scripts
    std::size_t proved_ = 0;    // so many scripts have
    std::string token_;
    runtime::Time token_until_{};
    std::uint64_t actions_ = 0;  // a timer of an earlier session is not this one's
    bool has_played_ = false;    // in the session that goes on
    std::uint64_t era_ = 0;
    std::uint64_t session_ = 0;  // which one of all sessions
};

/// The server says so for certain: nothing was done.
[[nodiscard]] inline bool is_refusal(Code code) {
    return code == Code::busy || code == Code::limited || code == Code::unavailable || code == Code::invalid;
}

}  // namespace gs::sim
