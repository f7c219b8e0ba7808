#include "tests/sim/bot.hpp"

#include <charconv>

#include "modules/echo/messages.hpp"
#include "modules/profile/messages.hpp"
#include "tests/scenarios/world.hpp"

namespace gs::sim {

using namespace std::chrono_literals;
using runtime::Duration;

namespace {

constexpr std::size_t requests_max = 16;

/// Texts are "player/number"; the number rises for each player.
std::uint64_t number_in(std::string_view text) {
    std::uint64_t number = 0;
    const auto slash = text.find('/');
    if (slash != std::string_view::npos) std::from_chars(text.data() + slash + 1, text.data() + text.size(), number);
    return number;
}

std::uint64_t owner_in(std::string_view text) {
    std::uint64_t owner = 0;
    std::from_chars(text.data(), text.data() + text.size(), owner);
    return owner;
}

/// The server says so for certain: nothing was done.
bool is_refusal(Code code) {
    return code == Code::busy || code == Code::limited || code == Code::unavailable || code == Code::invalid;
}

}  // namespace

std::string token_of(const runtime::Loop& loop, PlayerId player, const std::string& zone) {
    TokenClaims claims;
    claims.player = player;
    claims.account = "simulated";
    claims.issued = std::chrono::time_point_cast<std::chrono::seconds>(loop.wall_now());
    claims.expires = claims.issued + 600s;
    claims.zone = zone;
    return sign_token(scenarios::token_key(), claims);
}

Bot::Bot(BotWorld& world, std::uint64_t seed, std::string host, PlayerId player, bool guest)
    : world_{world},
      random_{seed, host},
      player_{player},
      client_{world.network, world.loop, host, world.gateways, seed, *this},
      guest_{guest} {}

void Bot::start() { connect_later(guest_ ? random_.exponential(world_.guest_pause) : random_.between(0ms, 3000ms)); }

void Bot::connect_later(Duration wait) {
    world_.loop.after(wait, [this] { connect(); });
}

void Bot::connect() {
    if (ended_ || !client_.is_idle() || (world_.healthy && !guest_)) return;
    if (world_.loop.now() >= token_until_) {
        token_ = token_of(world_.loop, player_);
        token_until_ = world_.loop.now() + 300s;
    }
    client_.connect(random_.between(0, world_.gateways.size() - 1), token_);
}

void Bot::prove() {
    proving_ = true;
    if (guest_) return;  // whoever plays for good takes over from it
    client_.set_reading(true);
    if (client_.in_session()) deposit(true);
}

void Bot::visit() {
    if (!guest_) return;
    client_.disconnect();
    ++actions_;
    visiting_ = true;
    connect_later(random_.between(0ms, 2000ms));
}

void Bot::end() {
    ended_ = true;
    client_.leave();
}

std::string Bot::state() const {
    return fmt::format("{} (player {}): {}, {} requests wait", client_.host(), player_,
                       client_.is_entered()   ? "entered"
                       : client_.in_session() ? "away"
                       : client_.is_idle()    ? "idle"
                                              : "connecting",
                       client_.waiting());
}

// --- what happens to it ----------------------------------------------------------------------------------------------

void Bot::on_entered() {
    world_.trace.note("entered", client_.host(), static_cast<std::uint64_t>(player_));
    forget_what_was_seen();
    heard_.clear();
    ++actions_;
    has_played_ = true;
    join("market");
    if (proving_ && (!guest_ || visiting_) && !proved_) deposit(true);
    act_later();
}

void Bot::on_resumed(bool gap) {
    world_.trace.note("resumed", client_.host(), static_cast<std::uint64_t>(player_), gap ? 1 : 0);
    if (!gap) return;
    // What was not to be stored before its answer may be gone, and what was not answered may be done again.
    forget_what_was_seen();
    for (const auto& text : unanswered_) {
        world_.doubtful.insert(text);
        world_.ledger.may_repeat(text);
    }
    join("market");
}

void Bot::forget_what_was_seen() {
    ++gaps_;
    gold_seen_ = 0;
    note_confirmed_ = 0;
    last_line_.clear();
    last_text_.clear();
}

void Bot::check_visit(const wire::Close& close) {
    if (!visiting_ || proved_) return;
    world_.trace.fail(fmt::format("{} lost its connection though nothing is wrong: {}", client_.host(), close.reason));
}

bool Bot::wants_to_resume(const wire::Close& close) {
    world_.trace.note("away", client_.host(), static_cast<std::uint64_t>(close.code));
    check_visit(close);
    if (ended_ || (world_.healthy && !guest_) || (guest_ && proving_ && !visiting_)) return false;
    return !random_.chance(world_.forgets);
}

void Bot::on_lost(const wire::Close& close) {
    world_.trace.note("lost", client_.host(), static_cast<std::uint64_t>(close.code), close.reconnect ? 1 : 0);
    ++actions_;
    if (close.code == Code::invalid) {
        world_.trace.fail(fmt::format("{} was cut off: {}", client_.host(), close.reason));
    }
    if (close.code == Code::unauthenticated) {
        if (!world_.calendars_jump) {
            world_.trace.fail(fmt::format("the good token of {} was refused: {}", client_.host(), close.reason));
        }
        token_until_ = {};
    }
    // A newer login took over: this one asks again after a while, else the two would fight without end.
    const bool taken_over = close.code == Code::fenced && !close.reconnect;
    check_visit(close);
    if (ended_ || (guest_ && proving_)) return;
    const bool has_played = std::exchange(has_played_, false);
    if (guest_ && has_played) {
        connect_later(random_.exponential(world_.guest_pause));
    } else if (taken_over && !proving_) {
        connect_later(random_.between(1s, 10s));
    } else {
        connect_later(random_.between(50ms, 2s));
    }
}

void Bot::on_push(Command command, BytesView body) {
    if (command == command_of<scenarios::Told>) {
        // "7 has 120": told to everyone once it is stored.
        const auto told = msgpack::decode<scenarios::Told>(body).value();
        constexpr std::string_view has = " has ";
        const auto place = told.text.find(has);
        if (place == std::string::npos) return;
        std::uint64_t gold = 0;
        std::from_chars(told.text.data() + place + has.size(), told.text.data() + told.text.size(), gold);
        world_.ledger.balance_seen(PlayerId{owner_in(told.text)}, gold, "a push");
    } else if (command == command_of<chat::Said>) {
        check_line(msgpack::decode<chat::Said>(body).value());
    } else if (command == command_of<chat::Whispered>) {
        check_whisper(msgpack::decode<chat::Whispered>(body).value());
    }
}

// --- what it does ----------------------------------------------------------------------------------------------------

void Bot::act_later() {
    world_.loop.after(random_.exponential(world_.think) + 1ms, [this, session = actions_] {
        if (session != actions_ || ended_ || !client_.in_session()) return;
        act();
        if (session == actions_) act_later();
    });
}

void Bot::act() {
    if (client_.waiting() >= requests_max) return;
    if (random_.chance(world_.leaves) && !proving_) {
        leave();
        return;
    }
    if (random_.chance(world_.slow) && !proving_) {
        stop_reading();
        return;
    }
    const auto draw = random_.between(0, 99);
    if (draw < 30) {
        deposit(false);
    } else if (draw < 36) {
        deposit_that_fails();
    } else if (draw < 46) {
        count();
    } else if (draw < 58) {
        echo();
    } else if (draw < 67) {
        write_note();
    } else if (draw < 75) {
        read_notes();
    } else if (draw < 88) {
        say();
    } else if (draw < 92) {
        join(random_.chance(0.5) ? "market" : "tavern");
    } else {
        look_around();
    }
}

void Bot::deposit(bool proof) {
    const auto gold = random_.between(1, 9);
    const auto before = world_.ledger.confirmed(player_);
    world_.ledger.deposit_sent(player_, gold);
    const auto patience = proof ? Duration{600s} : world_.patience;
    client_.request(scenarios::Deposit{gold, random_.chance(0.1)}, patience,
                    [this, gold, before, proof](const Result<scenarios::Gold>& answer) {
                        world_.trace.note("deposit", client_.host(), gold, answer ? answer->gold : 0);
                        if (answer) {
                            check_balance(answer->gold, "the answer to a deposit");
                            world_.ledger.deposit_confirmed(player_, gold, before, answer->gold);
                            proved_ |= proof;
                        } else if (is_refusal(answer.error().code())) {
                            world_.ledger.deposit_refused(player_, gold);
                        }
                        if (proof && !answer && client_.in_session()) {
                            world_.loop.after(500ms, [this] {
                                if (client_.in_session()) deposit(true);
                            });
                        }
                    });
}

void Bot::deposit_that_fails() {
    const auto failed = [this](const Result<scenarios::Gold>& answer) {
        if (answer) world_.trace.fail(fmt::format("a deposit of {} that fails was answered ok", client_.host()));
    };
    const auto gold = random_.between(1'000'000, 2'000'000);
    if (random_.chance(0.5)) {
        client_.request(scenarios::FailingDeposit{gold}, world_.patience, failed);
    } else {
        client_.request(scenarios::LateFailingDeposit{gold}, world_.patience, failed);
    }
}

void Bot::count() {
    client_.request(scenarios::CountGold{}, world_.patience, [this](const Result<scenarios::Gold>& answer) {
        if (answer) check_balance(answer->gold, "a count");
    });
}

void Bot::check_balance(std::uint64_t gold, const char* where) {
    if (gold < gold_seen_) {
        world_.trace.fail(fmt::format("{} was told of {} gold and later, in the same session, of {}", client_.host(),
                                      gold_seen_, gold));
    }
    gold_seen_ = gold;
    world_.ledger.balance_seen(player_, gold, where);
}

std::string Bot::new_text() { return fmt::format("{}/{}", player_, ++world_.texts[player_]); }

void Bot::echo() {
    const std::string text(random_.over_magnitudes(Duration{1}, Duration{4000}).count(),
                           static_cast<char>('a' + random_.between(0, 25)));
    client_.request(echo::Echo{text}, world_.patience, [this, text](const Result<echo::Echo>& answer) {
        if (answer && answer->text != text) {
            world_.trace.fail(fmt::format("{} sent {} bytes to be echoed and got {} others", client_.host(),
                                          text.size(), answer->text.size()));
        }
    });
}

void Bot::write_note() {
    const auto text = new_text();
    client_.request(scenarios::WriteNotes{text, text, text}, world_.patience,
                    [this, number = number_in(text)](const Result<Done>& answer) {
                        if (answer) note_confirmed_ = std::max(note_confirmed_, number);
                    });
}

void Bot::read_notes() {
    const auto least = note_confirmed_;
    const auto gaps = gaps_;
    client_.request(
        scenarios::ReadNotes{}, world_.patience, [this, least, gaps](const Result<scenarios::Notes>& answer) {
            if (!answer) return;
            for (const auto& text : {answer->quick, answer->periodic, answer->leave}) {
                if (!text.empty() && owner_in(text) != static_cast<std::uint64_t>(player_)) {
                    world_.trace.fail(
                        fmt::format("{} read the note \"{}\", which is not its own", client_.host(), text));
                }
                if (gaps == gaps_ && number_in(text) < least) {
                    world_.trace.fail(fmt::format("{} wrote note {} and then, in the same session, read \"{}\"",
                                                  client_.host(), least, text));
                }
            }
        });
}

void Bot::join(const std::string& channel) {
    client_.request(chat::Join{channel}, world_.patience, [this, channel](const Result<chat::Joined>& answer) {
        if (!answer) return;
        for (const auto& line : answer->last_lines) world_.ledger.line_seen(channel, line);
    });
}

void Bot::say() {
    const auto text = new_text();
    const std::string channel = random_.chance(0.8) ? "market" : "tavern";
    unanswered_.insert(text);
    client_.request(chat::Say{channel, text}, world_.patience,
                    [this, channel, text](const Result<chat::SayOk>& answer) {
                        if (answer) unanswered_.erase(text);
                        if (answer) world_.ledger.line_confirmed(channel, player_, text, answer->line);
                    });
}

void Bot::check_line(const chat::Said& said) {
    world_.ledger.line_seen(said.channel, said.line);
    auto& last = last_line_[said.channel];
    if (said.line.number <= last) {
        world_.trace.fail(fmt::format("{} got line {} of channel {} after line {}", client_.host(), said.line.number,
                                      said.channel, last));
    }
    last = said.line.number;
    auto& text = last_text_[{said.channel, said.line.from}];
    const auto number = number_in(said.line.text);
    if (number <= text && !world_.doubtful.contains(said.line.text)) {
        world_.trace.fail(fmt::format("{} got text {} of player {} in channel {} after text {}", client_.host(), number,
                                      said.line.from, said.channel, text));
    }
    text = std::max(text, number);
}

void Bot::look_around() {
    const auto other = random_.pick(world_.players);
    if (random_.chance(0.4)) {
        client_.request(profile::ViewProfile{other}, world_.patience,
                        [this, other](const Result<profile::PublicProfile>& answer) {
                            if (!answer || answer->player == other) return;
                            world_.trace.fail(fmt::format("{} asked for player {} and was shown player {}",
                                                          client_.host(), other, answer->player));
                        });
    } else if (random_.chance(0.5)) {
        const auto name = fmt::format("name-{}", random_.between(1, 6));
        client_.request(profile::SetNickname{name}, world_.patience, [](const Result<Done>&) {});
    } else {
        whisper(other);
    }
}

void Bot::whisper(PlayerId to) {
    const auto text = new_text();
    unanswered_.insert(text);
    client_.request(chat::Whisper{to, text}, world_.patience, [this, text](const Result<Done>& answer) {
        unanswered_.erase(text);
        if (!answer) world_.doubtful.insert(text);
    });
}

/// Two that one player said may come in either order when its player has moved to another game between them.
void Bot::check_whisper(const chat::Whispered& whispered) {
    if (heard_.insert(whispered.text).second || world_.doubtful.contains(whispered.text)) return;
    world_.trace.fail(
        fmt::format("{} heard the whisper {} of player {} twice", client_.host(), whispered.text, whispered.from));
}

void Bot::stop_reading() {
    world_.trace.note("stops reading", client_.host());
    client_.set_reading(false);
    // What it is sent fills the buffers on the way, then the gateway's queue.
    for (int count = 0; count < 40; ++count) {
        client_.request(echo::Echo{std::string(12'000, 's')}, world_.patience, [](const Result<echo::Echo>&) {});
    }
    world_.loop.after(random_.exponential(8s), [this] { client_.set_reading(true); });
}

void Bot::leave() {
    world_.trace.note("leaves", client_.host());
    if (random_.chance(0.5)) {
        client_.leave();
    } else {
        client_.disconnect();
    }
    ++actions_;
    has_played_ = false;
    connect_later(guest_ ? random_.exponential(world_.guest_pause) : random_.over_magnitudes(1ms, 20s));
}

}  // namespace gs::sim
