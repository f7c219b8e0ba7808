#include "client/cpp/session.hpp"

#include <algorithm>

namespace gs::client {

namespace {

constexpr std::uint64_t unacknowledged_max = 64;
constexpr std::size_t unacknowledged_bytes_max = 16U << 10U;
constexpr auto acknowledge_after = std::chrono::seconds{2};

constexpr Command no_command = 0;

}  // namespace

void Session::begin(const wire::Entered& entered) {
    *this = Session{};
    player_ = entered.player;
    name_ = entered.session;
    key_ = entered.key;
}

Result<void> Session::go_on(const wire::Entered& entered) {
    if (entered.received < first_id_ - 1 || entered.received >= next_id()) {
        return Error{Code::invalid, "the server has requests up to {}; it answered those up to {}, and {} were sent",
                     entered.received, first_id_ - 1, next_id() - 1};
    }
    const bool counts_fit =
        entered.state == wire::SessionState::gap ? entered.next > received_ : entered.next == received_ + 1;
    if (!counts_fit) {
        return Error{Code::invalid, "the server goes on with message {}; this client has those up to {}", entered.next,
                     received_};
    }
    received_ = entered.next - 1;
    acknowledged();
    return {};
}

wire::Enter Session::resumption(BytesView nonce) const {
    wire::Enter enter;
    enter.player = player_;
    enter.session = name_;
    enter.received = received_;
    enter.answered = first_id_ - 1;
    enter.proof = wire::session_proof(key_, nonce, enter);
    return enter;
}

// --- requests --------------------------------------------------------------------------------------------------------

std::uint64_t Session::add(Request request) {
    ++waiting_;
    kept_bytes_ += request.body.size();
    earliest_deadline_ = std::min(earliest_deadline_, request.deadline);
    requests_.push_back({std::move(request), false});
    return next_id() - 1;
}

void Session::write(Buffer& out, std::uint64_t id) {
    const auto& kept = requests_[id - first_id_];
    const auto begin = wire::begin_frame(out);
    if (kept.answered) {
        // It was refused before earlier ones were answered. It must not be done now, and its id must not be left out.
        wire::write_message(out, {wire::Kind::request, false, no_command, id, take_ack()}, Done{});
    } else {
        wire::Header header{wire::Kind::request, false, kept.request.command, id, take_ack()};
        header.secret = kept.request.secret && marks_secrets_;
        wire::write_header(out, header);
        out.append(kept.request.body);
    }
    wire::finish_frame(out, begin);
}

void Session::write_after(Buffer& out, std::uint64_t id) {
    for (auto next = id + 1; next < next_id(); ++next) write(out, next);
}

Session::Answer Session::answer(const wire::Header& header, std::shared_ptr<Pending>& pending) {
    const auto id = header.request_id;
    if (id == 0 || id >= next_id()) return Answer::of_nothing;
    if (id < first_id_ || requests_[id - first_id_].answered) return Answer::late;
    auto& kept = requests_[id - first_id_];
    // A server that lost what it answered does not know the command either.
    const bool is_lost = header.error && header.command == no_command;
    if (kept.request.command != header.command && !is_lost) return Answer::of_other_command;
    pending = std::move(kept.request.pending);
    kept.answered = true;
    kept_bytes_ -= kept.request.body.size();
    kept.request.body.release();
    drop_answered();
    if (!pending) return Answer::late;
    --waiting_;
    return Answer::expected;
}

void Session::drop_answered() {
    while (!requests_.empty() && requests_.front().answered) {
        requests_.pop_front();
        ++first_id_;
    }
}

std::vector<std::shared_ptr<Pending>> Session::expire(Time now) {
    std::vector<std::shared_ptr<Pending>> late;
    earliest_deadline_ = Time::max();
    for (auto& kept : requests_) {
        auto& request = kept.request;
        if (!request.pending) continue;
        if (request.deadline <= now) {
            late.push_back(std::move(request.pending));
            --waiting_;
        } else {
            earliest_deadline_ = std::min(earliest_deadline_, request.deadline);
        }
    }
    return late;
}

std::vector<std::shared_ptr<Pending>> Session::end() {
    std::vector<std::shared_ptr<Pending>> all;
    for (auto& kept : requests_) {
        if (kept.request.pending) all.push_back(std::move(kept.request.pending));
    }
    *this = Session{};
    return all;
}

// --- numbered messages -----------------------------------------------------------------------------------------------

Session::Arrival Session::receive(std::uint64_t number, std::size_t bytes, Time now) {
    if (number <= received_) {
        ++duplicates_;
        return Arrival::duplicate;
    }
    if (number != received_ + 1) return Arrival::hole;
    received_ = number;
    if (unacknowledged_++ == 0) acknowledge_by_ = now + acknowledge_after;
    unacknowledged_bytes_ += bytes;
    return Arrival::next;
}

bool Session::must_acknowledge() const {
    return unacknowledged_ >= unacknowledged_max || unacknowledged_bytes_ >= unacknowledged_bytes_max;
}

void Session::acknowledged() {
    unacknowledged_ = 0;
    unacknowledged_bytes_ = 0;
    acknowledge_by_ = Time::max();
}

std::uint64_t Session::take_ack() {
    if (unacknowledged_ == 0) return 0;
    acknowledged();
    return received_;
}

void Session::write_ack(Buffer& out) {
    wire::write_framed(out, {wire::Kind::control, false, command_of<wire::Ack>, 0}, wire::Ack{take_ack()});
}

}  // namespace gs::client
