#pragma once
// One bot: logs in, enters, plays its scenario. In a run that survives losses the client kit resumes its session, and
// when that is over the bot logs in anew.
// Owner: the run. Loop: the run's.
#include <random>

#include "client/bots/run.hpp"
#include "client/bots/scenario.hpp"
#include "client/cpp/client.hpp"

namespace gs::bots {

/// What an error reply means to the bot that asked.
enum class Refusal : std::uint8_t {
    not_done,  ///< refused for good reason, such as a rate limit
    unknown,   ///< nobody knows whether it was done
    wrong,     ///< must not have happened; already counted as an error
};

class Bot {
public:
    Bot(Run& run, std::size_t index);

    asio::awaitable<void> live();
    /// The run stops: no more waiting for the next action.
    void wake();

    // --- for scenarios ---
    template <Request R>
    asio::awaitable<Result<ReplyOf<R>>> request(R message) {
        const auto started = client::Clock::now();
        auto reply = co_await client_.request(std::move(message));
        count_request(started, reply.has_value());
        co_return std::move(reply);
    }
    template <Push P, class Handler>
    void on(Handler handler) {
        client_.on<P>([this, handler = std::move(handler)](const P& push) mutable {
            ++run_.statistics.pushes;
            handler(push);
        });
    }
    template <class... Args>
    void fail(fmt::format_string<Args...> format, Args&&... args) {
        add_failure(fmt::format(format, std::forward<Args>(args)...));
    }
    /// Lines that a crash of a server took along.
    void count_gap() { ++run_.statistics.gaps; }
    /// Decides whether an error reply is to be expected here, and counts it.
    Refusal judge(const Error& error, std::string_view doing);

    [[nodiscard]] Run& run() { return run_; }
    /// Its connection is good at this moment.
    [[nodiscard]] bool connected() const { return client_.connected(); }
    [[nodiscard]] bool survives() const { return run_.options.survive; }
    [[nodiscard]] std::size_t index() const { return index_; }
    [[nodiscard]] BotCard& card() { return run_.cards[index_]; }
    [[nodiscard]] BotCard& next() { return run_.cards[(index_ + 1) % run_.cards.size()]; }
    [[nodiscard]] BotCard& previous() { return run_.cards[(index_ + run_.cards.size() - 1) % run_.cards.size()]; }
    /// 0 <= result < below
    [[nodiscard]] std::size_t random(std::size_t below);

private:
    [[nodiscard]] bool playing() const { return client_.in_session() && !run_.stopping(); }
    asio::awaitable<Result<void>> enter();
    [[nodiscard]] bool needs_login() const;
    /// All, beginning with the one to try first.
    [[nodiscard]] std::vector<client::Gateway> choose_gateways();
    [[nodiscard]] bool may_try_again(const Error& error) const;
    asio::awaitable<void> play();
    asio::awaitable<void> act();
    asio::awaitable<void> settle();
    asio::awaitable<void> pace();
    asio::awaitable<void> back_off();
    asio::awaitable<void> sleep_until(client::Time time);
    void count_request(client::Time started, bool answered);
    void add_failure(std::string message);
    bool give_up_after_loss();
    void count_resume(bool gap);

    Run& run_;
    std::size_t index_;
    std::minstd_rand random_;
    client::Client client_;
    asio::steady_timer timer_;
    std::unique_ptr<Scenario> scenario_;
    client::Login login_;
    client::Time next_act_{};
    unsigned failures_ = 0;  // in a row, to get in
    bool was_in_ = false;
    std::string trouble_;  // the last reason not to be let in
    wire::Close close_;    // of the last session
    client::Time lost_at_{};
};

}  // namespace gs::bots
