#include "session/stream.hpp"

#include <algorithm>

#include "transport/out_queue.hpp"

namespace gs::session {

namespace {

constexpr std::size_t dead_bytes_max = 8 * 1024;
constexpr std::size_t marked_bytes_max = 4 * 1024;  // of replies, in a mark that is not whole
constexpr std::uint64_t lost_replies_max = 4096;
constexpr std::size_t refused_max = 1024;

/// The first frame of `frames`, taken off. They are our own: always whole.
wire::FrameCut take_frame(BytesView& frames) {
    const auto cut = wire::cut_frame(frames, frames.size());
    frames = frames.subspan(cut.consumed());
    return cut;
}

void write_frame(Buffer& out, const wire::Header& header, BytesView body) {
    const auto begin = wire::begin_frame(out);
    wire::write_header(out, header);
    out.append(body);
    wire::finish_frame(out, begin);
}

Binary copy_of(BytesView bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

void Stream::begin(std::uint64_t session) {
    *this = Stream{};
    session_ = session;
}

void Stream::done(std::uint64_t request_id) {
    done_ = std::max(done_, request_id);
    while (!refused_.empty() && *refused_.begin() <= done_) refused_.erase(refused_.begin());
}

bool Stream::refuse(std::uint64_t request_id) {
    refused_.insert(request_id);
    return refused_.size() <= refused_max;
}

BytesView Stream::add(wire::Header header, BytesView body) {
    tidy();
    if (frames_.capacity() == 0) frames_ = transport::take_buffer();
    header.session = next_++;
    const auto begin = frames_.size();
    write_frame(frames_, header, body);
    const auto frame = BytesView{frames_}.subspan(begin);
    // The frame itself stays where it is, also when it is too long to be kept.
    while (!held_ && first_ < next_ && (next_ - first_ > messages_max || frames_.size() - head_ > bytes_max))
        drop_first();
    return frame;
}

void Stream::drop_to(std::uint64_t number) {
    if (number >= next_ - 1) {
        drop_all();
        return;
    }
    while (first_ <= number) drop_first();
    tidy();
}

void Stream::drop_first() {
    std::uint32_t length = 0;
    for (unsigned byte = 0; byte < 4; ++byte) length |= std::uint32_t{frames_.data()[head_ + byte]} << (8 * byte);
    head_ += wire::frame_prefix_bytes + length;
    ++first_;
}

void Stream::drop_all() {
    first_ = next_;
    head_ = frames_.size();
    tidy();
}

/// Empty, it holds no memory.
void Stream::tidy() {
    if (head_ == frames_.size()) {
        head_ = 0;
        if (frames_.capacity() > 0) transport::give_back(std::exchange(frames_, Buffer{}));
    } else if (head_ > dead_bytes_max && head_ > frames_.size() / 2) {
        frames_.consume(std::exchange(head_, 0));
    }
}

BytesView Stream::frames_after(std::uint64_t received) const {
    auto frames = kept();
    for (auto number = first_; number <= received && !frames.empty(); ++number) take_frame(frames);
    return frames;
}

std::map<std::uint64_t, BytesView> Stream::kept_replies() const {
    std::map<std::uint64_t, BytesView> replies;
    for (auto frames = kept(); !frames.empty();) {
        const auto payload = take_frame(frames).payload;
        const auto message = wire::parse_message(payload);
        if (message.header.kind == wire::Kind::reply) replies[message.header.request_id] = payload;
    }
    return replies;
}

Result<std::uint64_t> Stream::bridge_gap(std::uint64_t received, std::uint64_t answered) {
    received_ = std::max(received_, answered);
    done(answered);
    if (done_ - answered > lost_replies_max) {
        return Error{Code::not_found, "more of the session was lost than can be made good; log in again"};
    }
    torn_ = false;
    const auto old = std::exchange(frames_, Buffer{});
    const auto old_head = std::exchange(head_, old.size());
    head_ = 0;
    Stream before;
    before.frames_.append(old.view().subspan(old_head));
    const auto replies = before.kept_replies();
    // One number is left out: a client that does not hear of the gap (its connection is lost again) claims less than
    // one that did, and is told again.
    const auto next = std::max(next_, received + 1) + 1;
    next_ = first_ = next;
    const auto repeat = [&](std::uint64_t id) {
        const auto kept = replies.find(id);
        if (kept != replies.end()) {
            const auto message = wire::parse_message(kept->second);
            add(message.header, message.body);
            return;
        }
        Buffer error;
        wire::write_error(error, {wire::Kind::request, false, 0, id},
                          {Code::deadline, "this was done; what was answered is not kept any more"});
        const auto message = wire::parse_message(error);
        add(message.header, message.body);
    };
    for (auto id = answered + 1; id <= done_; ++id) repeat(id);
    for (const auto id : refused_) {
        if (id > answered) repeat(id);
    }
    return next;
}

Mark Stream::mark(const wire::Header* running, BytesView reply) const {
    Mark mark;
    mark.session = session_;
    mark.done = running == nullptr ? done_ : running->request_id;
    mark.next = next_;
    mark.over = over_;
    if (over_) return mark;
    Buffer last;
    if (running != nullptr) {
        wire::Header header{wire::Kind::reply, false, running->command, running->request_id, next_};
        header.secret = running->secret;
        write_frame(last, header, reply);
    }
    // The latest replies that fit; those before them are older and more likely to have arrived.
    std::vector<BytesView> replies;
    std::size_t total = last.size();
    for (auto frames = kept(); !frames.empty();) {
        const auto begin = frames;
        const auto cut = take_frame(frames);
        const auto kind = cut.payload[0] & wire::flag::kind_mask;
        if (kind != static_cast<std::uint8_t>(wire::Kind::reply)) continue;
        replies.push_back(begin.first(cut.consumed()));
        total += cut.consumed();
    }
    auto oldest = replies.begin();
    for (; oldest != replies.end() && total > marked_bytes_max; ++oldest) total -= oldest->size();
    for (; oldest != replies.end(); ++oldest) mark.frames.insert(mark.frames.end(), oldest->begin(), oldest->end());
    mark.frames.insert(mark.frames.end(), last.data(), last.data() + last.size());
    return mark;
}

Mark Stream::whole_mark() const {
    Mark mark;
    mark.session = session_;
    mark.done = received_;
    mark.next = next_;
    mark.whole = !torn_;
    mark.frames = copy_of(kept());
    return mark;
}

void Stream::restore(const Mark& mark) {
    begin(mark.session);
    received_ = done_ = mark.done;
    torn_ = !mark.whole;
    over_ = mark.over;
    std::uint64_t count = 0;
    for (BytesView frames = mark.frames; !frames.empty();) {
        const auto rest = frames;
        const auto cut = wire::cut_frame(frames, frames.size());
        if (cut.status != wire::FrameCut::Status::frame || wire::parse_message(cut.payload).fault != nullptr) break;
        frames_.append(rest.first(cut.consumed()));
        frames = rest.subspan(cut.consumed());
        ++count;
    }
    next_ = std::max(mark.next, count + 1);
    // The frames of a whole mark are the last ones in a row; those of another have holes, and count for nothing but a
    // gap.
    first_ = mark.whole ? next_ - count : next_;
}

}  // namespace gs::session
