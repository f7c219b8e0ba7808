#include "roles/center/ban_list.hpp"

#include "api/json.hpp"

namespace gs::center {

namespace {

constexpr std::string_view space = "ban";
constexpr std::size_t text_bytes_max = 256;
constexpr std::int64_t remembered_seconds = 86'400;  // after its end a ban can be looked at for so long
constexpr std::size_t forgotten_max = 200, bans_in_note_max = 1000;

}  // namespace

BanList::BanList(cluster::RoleBus bus, entity::Persistence& persistence, runtime::Loop& loop)
    : bus_{bus}, persistence_{persistence}, loop_{loop} {}

std::int64_t BanList::now() const {
    return std::chrono::duration_cast<std::chrono::seconds>(loop_.wall_now().time_since_epoch()).count();
}

runtime::Task<Result<void>> BanList::read() {
    const auto changes = changes_;
    auto stored = co_await persistence_.list_records(std::string{space});
    if (!stored) co_return Result<void>{stored.error()};
    if (changes_ != changes) co_return Result<void>{Error{Code::conflict, "a ban was changed meanwhile"}};
    auto before = std::exchange(bans_, {});
    session::BansRead news;
    storage::Commit forgotten;
    for (const auto& record : *stored) {
        auto ban = from_json<session::Ban>(record.data);
        if (!ban) {
            log::error("the ban of {} cannot be read: {}", record.key, ban.error().message());
            continue;
        }
        if (ban->until != 0 && ban->until + remembered_seconds <= now()) {
            if (forgotten.records.size() < forgotten_max)
                forgotten.records.push_back({std::string{space}, record.key, record.version, std::nullopt});
            continue;
        }
        const bool is_new = !before.contains(record.key);
        bans_[record.key] = *ban;
        if (!is_new || (ban->until != 0 && ban->until <= now())) continue;
        news.bans.push_back(std::move(*ban));
        if (news.bans.size() == bans_in_note_max) bus_.publish(Role::gateway, std::exchange(news, {}));
    }
    if (!news.bans.empty()) bus_.publish(Role::gateway, news);
    if (!forgotten.records.empty()) {
        // Another center may do it at the same time: then it is done.
        auto done = co_await persistence_.commit(std::move(forgotten), std::chrono::seconds{5});
        static_cast<void>(done);
    }
    co_return Result<void>{};
}

runtime::Task<Done> BanList::put(session::PutBan request) {
    request.ban.whom = session::canonical_ban(request.ban.whom).value();
    if (request.ban.reason.size() > text_bytes_max)
        throw Error{Code::invalid, "a reason has at most {} bytes", text_bytes_max};
    if (request.ban.until != 0 && request.ban.until <= now())
        throw Error{Code::invalid, "the end of the ban is in the past"};
    co_await store(request.ban.whom, request.ban);
    log::info("{} is {}", request.ban.whom, session::ban_text(request.ban));
    session::BanChanged note;
    note.ban = std::move(request.ban);
    tell(note);
    co_return Done{};
}

runtime::Task<Done> BanList::lift(session::LiftBan request) {
    request.whom = session::canonical_ban(request.whom).value();
    if (!bans_.contains(request.whom)) throw Error{Code::not_found, "{} is not banned", request.whom};
    co_await store(request.whom, std::nullopt);
    log::info("the ban of {} is lifted", request.whom);
    session::BanChanged note;
    note.ban.whom = std::move(request.whom);
    note.lifted = true;
    tell(note);
    co_return Done{};
}

/// Whoever else changes it at the same moment, the last one counts.
runtime::Task<> BanList::store(std::string whom, std::optional<session::Ban> ban) {
    for (int attempt = 0; attempt < 5; ++attempt) {
        auto record = co_await persistence_.read_record(std::string{space}, whom);
        if (!record) throw Error{record.error()};
        storage::RecordWrite write;
        write.space = space;
        write.key = whom;
        write.expected = record->version;
        if (ban) write.data = to_json(*ban);
        storage::Commit commit;
        commit.records.push_back(std::move(write));
        auto outcome = co_await persistence_.commit(std::move(commit), std::chrono::seconds{5});
        if (!outcome) throw Error{outcome.error()};
        if (*outcome == storage::Outcome::ok) co_return;
    }
    throw Error{Code::conflict, "the ban of {} was changed by somebody else; look at it, then try again", whom};
}

/// Itself first: from now on nobody of these is let in.
void BanList::tell(const session::BanChanged& note) {
    on_changed(note);
    bus_.publish(Role::center, note);
    bus_.publish(Role::gateway, note);
}

void BanList::on_changed(const session::BanChanged& note) {
    ++changes_;
    if (note.lifted) {
        bans_.erase(note.ban.whom);
    } else {
        bans_[note.ban.whom] = note.ban;
    }
}

session::Bans BanList::list() const {
    session::Bans list;
    for (const auto& [whom, ban] : bans_) {
        if (ban.until == 0 || ban.until > now()) list.bans.push_back(ban);
    }
    return list;
}

void BanList::check(std::span<const std::string> whom) const {
    for (const auto& one : whom) {
        const auto place = bans_.find(one);
        if (place == bans_.end() || (place->second.until != 0 && place->second.until <= now())) continue;
        throw Error::verbatim(Code::forbidden, session::ban_text(place->second));
    }
}

}  // namespace gs::center
