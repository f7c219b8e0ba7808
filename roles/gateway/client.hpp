#pragma once
// One client's connection at the gateway: hello, token, then messages to and from the player's game. Everything that a
// stranger sends is bounded in size and time here. Owner: the gateway. Loop: its own.
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "api/role.hpp"
#include "api/secure.hpp"
#include "api/session.hpp"

namespace gs::gateway {

class Gateway;

class Client final : public transport::ConnectionHandler {
public:
    enum class State : std::uint8_t { hello, handshake, token, entering, playing, closed };

    /// What a handshake has come to.
    struct Handshaken {
        Buffer answer;  ///< the frame that answers the hello
        wire::noise::Records records;
    };

    Client(Gateway& gateway, std::uint64_t id, std::shared_ptr<transport::Connection> connection);

    [[nodiscard]] std::uint64_t id() const { return id_; }
    [[nodiscard]] State state() const { return state_; }
    /// It has shown that it may come in, or is gone: false when that was known.
    [[nodiscard]] bool prove() { return !std::exchange(proved_, true); }
    [[nodiscard]] bool is_attached() const { return epoch_ != ConnectionEpoch{}; }
    [[nodiscard]] PlayerId player() const { return player_; }
    [[nodiscard]] ConnectionEpoch epoch() const { return epoch_; }
    [[nodiscard]] const RoleAddress& game() const { return game_; }
    [[nodiscard]] std::uint64_t session() const { return session_; }
    /// Nobody will resume its session.
    [[nodiscard]] bool has_left() const { return left_; }
    [[nodiscard]] Binary nonce() const { return {nonce_.begin(), nonce_.end()}; }
    [[nodiscard]] const std::string& address() const { return address_; }
    /// As it says, cut.
    [[nodiscard]] const std::string& version() const { return version_; }
    /// As a balancer says.
    void set_address(const std::string& address);
    /// A balancer has yet to say whose connection it is.
    [[nodiscard]] bool is_behind_proxy() const { return behind_proxy_; }
    [[nodiscard]] std::set<std::string>& channels() { return channels_; }

    void start();
    void end_handshake(Result<Handshaken> outcome);
    void attach(PlayerId player, const session::Attached& attached, std::string device);
    void play(const session::Attached& attached, const session::Entrance& entrance);
    void refuse_enter(const Error& error);

    // --- hand-over: while it is held nothing is read from the client, and so nothing is in flight to its game
    void hold();
    void release();
    /// Its player is with another game, which lets it enter next.
    void switch_to(const RoleAddress& game);
    void go_on(const session::Entrance& entrance);
    [[nodiscard]] bool is_held() const { return held_ != Held::no; }

    /// By what a ban may name it.
    [[nodiscard]] std::vector<std::string> ban_keys() const;
    /// Nobody may resume it once this connection is closed.
    void end_session() { left_ = true; }

    // --- the queue of that center: while it has a ticket it waits there, as long as it is told how far it is
    void wait_in_queue(const RoleAddress& center, std::uint64_t ticket);
    void tell_queued(const wire::Queued& queued);
    void leave_queue();
    [[nodiscard]] std::uint64_t ticket() const { return ticket_; }
    [[nodiscard]] const RoleAddress& queue() const { return queue_; }

    /// Before it has said anything.
    void refuse(Code code, std::string_view reason) { refuse_hello(code, reason); }
    /// Whole frames, as they come from the game. Those that come before Entered is sent wait for it.
    void send_frames(BytesView frames);
    void prefetch() const {
        __builtin_prefetch(this);
        __builtin_prefetch(&state_);
    }
    void prefetch_connection() const { __builtin_prefetch(connection_.get()); }
    /// What its hello and ours have agreed on, of wire::feature.
    [[nodiscard]] std::uint64_t features() const { return features_; }
    /// A whole frame, shared with other receivers, sealed for these features. `state`: as of wire::state_command.
    void send_frame(const SharedBytes& frame, Command state);
    /// Tells the client why, and ends the connection.
    void close(Code code, std::string_view reason, bool reconnect);
    /// What the client sent did not reach its game: it keeps its requests until they are answered, and sends them again
    /// when it resumes.
    void close_unreachable() { close(Code::unavailable, "the game server is not reachable right now", true); }
    /// What waits for it here.
    [[nodiscard]] std::size_t queued_bytes() const;
    /// The states that were kept while it was behind, unless it still is.
    void send_kept_states();
    /// Once a second: silence, half frames, slow readers.
    void tick(std::uint32_t second);

    std::size_t on_bytes(BytesView bytes) override;
    void on_closed(const Error& why) override;

private:
    /// `frame` is the payload with its prefix.
    void on_frame(BytesView frame, BytesView payload);
    std::size_t take_proxy_header(BytesView bytes);
    std::size_t unwrap(BytesView bytes, std::string_view protocol);
    void throttle(std::size_t bytes);
    void set_background(bool background);
    /// What is counted by the second.
    void begin_second();
    void on_hello(BytesView payload);
    [[nodiscard]] std::size_t wait_for_handshake(std::size_t taken);
    void begin_token();
    void on_token(const wire::MessageView& message);
    /// 0 fills a place in the session, and is nothing else.
    [[nodiscard]] static bool is_for_modules(Command command) {
        return command == 0 || command >= first_module_command;
    }
    /// Why a request of that command is not passed on to the game.
    [[nodiscard]] Error refusal(Command command) const;
    /// One more than a client may send in a second. Until it keeps to that for a whole second, others are
    /// served first.
    [[nodiscard]] bool over_rate(Command command);
    [[nodiscard]] bool over_rate_of(Command command);
    /// The game answers those too, since they have a place in the session.
    void relay_refused(const wire::Header& request, const Error& error);
    /// Passes on what was gathered.
    void relay();
    void to_game(BytesView frames);
    void send_now(BytesView frames);
    /// More waits for it than it reads: states wait too then, and only the latest of a command is sent.
    [[nodiscard]] bool is_behind() const;
    void keep_state(Command command, SharedBytes frame);
    /// Puts whole frames on the connection, as its features ask.
    void write(BytesView frames);
    void seal(BytesView frames, Buffer& out) const;
    /// The message of a frame that something was done to; false: it was refused.
    bool take_sealed(BytesView payload);
    /// False: it is older than messages may be.
    [[nodiscard]] bool is_fresh(std::uint64_t sent_ms);
    void forget_clock();
    void refuse_late(const wire::Header& request);
    /// False: it has come at a time when too many do, and is refused.
    bool greet();
    void on_control(const wire::MessageView& message);
    void send_control(Command command, BytesView body);
    void refuse_hello(Code code, std::string_view reason);
    void refuse_foreign(std::string_view protocol);
    void check_version();
    void close(const wire::Close& notice);
    void reply_error(const wire::Header& request, const Error& error);
    void check_queue();

    Gateway& gateway_;
    std::shared_ptr<transport::Connection> connection_;
    transport::SecureConnection* secure_ = nullptr;  // connection_ itself, once it encrypts
    std::uint64_t id_;
    PlayerId player_{};
    ConnectionEpoch epoch_{};
    RoleAddress game_;
    RoleAddress queue_;  // with a ticket
    std::uint64_t session_ = 0, ticket_ = 0;
    std::array<std::uint8_t, 16> nonce_{};
    Buffer early_;  // from the game, before it has let the client enter
    std::string address_, device_, version_;
    std::set<std::string> channels_;
    std::unique_ptr<std::map<Command, SharedBytes>> kept_states_;  // sealed; null: none
    BytesView relayed_;  // requests in a row, in the bytes that on_bytes works on
    enum class Held : std::uint8_t { no, by_game, switching };
    State state_ = State::hello;
    Held held_ = Held::no;
    std::uint8_t features_ = 0;
    bool greeted_ = false, proved_ = false, overflown_ = false, left_ = false, in_tls_ = false, in_websocket_ = false,
         behind_proxy_ = false, throttled_ = false, over_rate_ = false, in_background_ = true;
    // Seconds of the gateway's clock; 0: not.
    std::uint32_t since_, heard_, pinged_ = 0, partial_ = 0, slow_ = 0;
    runtime::Time held_since_{};
    std::uint32_t rtt_us_ = 0;
    /// How far our clock is ahead of what its requests say: the least of this minute, and of the last one.
    std::optional<std::int64_t> ahead_ms_, ahead_before_ms_;
    std::uint32_t ahead_since_ = 0;
    std::uint8_t late_in_row_ = 0;
    bool late_ = false;  // the message that is looked at just now
    std::uint32_t messages_this_second_ = 0, counted_second_ = 0;
    std::size_t bytes_this_second_ = 0;
    std::unique_ptr<std::map<Command, std::uint32_t>> commands_this_second_;  // those with a rate of their own
};

}  // namespace gs::gateway
