#pragma once
// One run of the bots: what they share. Owner: run_bots(). Loop: one io_context, one thread.
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include "client/bots/bots.hpp"
#include "client/bots/ledger.hpp"
#include "client/bots/login_pool.hpp"
#include "client/bots/statistics.hpp"

namespace gs::bots {

class Bot;

/// What others may know about a bot, to check what they receive from it.
struct BotCard {
    PlayerId player{};
    bool playing = false;
    std::string nickname;                     ///< once the server confirmed it
    std::string payment;                      ///< the last one that was redeemed
    std::uint64_t whispers_confirmed = 0;     ///< to the next bot
    std::set<std::uint64_t> whispers_unsure;  ///< of these: may never come, or twice
};

class Run {
public:
    explicit Run(const BotOptions& options);
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run();

    /// Until all bots are done. Ctrl-C ends the play, a second one everything.
    void play();
    [[nodiscard]] bool stopping() const { return stopping_; }
    [[nodiscard]] bool interrupted() const { return interrupted_; }
    [[nodiscard]] std::chrono::milliseconds elapsed() const;
    [[nodiscard]] std::chrono::milliseconds ramp_time() const;

    const BotOptions options;
    const std::string name;  ///< differs from that of other runs, for channels and nicknames
    Statistics statistics;
    std::vector<BotCard> cards;
    std::size_t acting = 0;  ///< bots that may still ask something
    asio::io_context io{1};  // destroyed before these: so are coroutines that did not end
    Ledger ledger;
    std::optional<LoginPool> logins;

private:
    class Clockwork;
    void stop();
    void bot_done(std::size_t index, const std::exception_ptr& failure);

    std::vector<std::unique_ptr<Bot>> bots_;
    std::unique_ptr<Clockwork> clockwork_;
    std::size_t left_ = 0;
    bool stopping_ = false, interrupted_ = false;
    std::chrono::steady_clock::time_point started_{}, ended_{};
};

}  // namespace gs::bots
