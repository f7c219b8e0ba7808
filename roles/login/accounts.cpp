#include "roles/login/accounts.hpp"

#include <algorithm>

#include "api/json.hpp"

namespace gs::login {

namespace {

constexpr std::size_t name_bytes_min = 3;
constexpr std::size_t password_bytes_min = 8;
constexpr std::uint64_t id_block = 100;
constexpr auto storage_patience = std::chrono::seconds{5};

struct Counter {
    std::uint64_t last = 0;
    FIELDS(last)
};

void check_name(const std::string& name) {
    const bool allowed = std::all_of(name.begin(), name.end(), [](unsigned char letter) {
        return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
               (letter >= 'A' && letter <= 'Z') || letter == '_' || letter == '-' || letter == '.';
    });
    if (name.size() < name_bytes_min || name.size() > account_name_bytes_max || !allowed) {
        throw Error{Code::invalid, "an account name has {} to {} letters, digits, dots, dashes or underscores",
                    name_bytes_min, account_name_bytes_max};
    }
}

}  // namespace

std::string fold(std::string name) {
    for (auto& letter : name) {
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
    return name;
}

runtime::Task<PlayerId> Accounts::new_player() {
    co_await ids_.turn();
    for (int attempt = 0; next_player_ == last_player_ && attempt < 10; ++attempt) {
        auto record = co_await persistence_.read_record("counter", "player");
        if (!record) break;
        auto counter = record->version == 0 ? Counter{} : from_json<Counter>(record->data).value();
        const auto first = counter.last;
        counter.last += id_block;
        storage::Commit commit;
        commit.records.push_back({"counter", "player", record->version, to_json(counter)});
        auto outcome = co_await persistence_.commit(std::move(commit), storage_patience);
        if (!outcome || *outcome != storage::Outcome::ok) continue;  // another login took that block
        next_player_ = first;
        last_player_ = counter.last;
    }
    const bool got = next_player_ < last_player_;
    const auto id = got ? ++next_player_ : 0;
    ids_.done();
    if (!got) throw Error{Code::unavailable, "storage is not reachable right now; try again in a moment"};
    co_return PlayerId{id};
}

runtime::Task<bool> Accounts::create(std::string space, std::string key, Account account) {
    storage::Commit commit;
    commit.records.push_back({space, key, 0, to_json(account)});
    auto outcome = co_await persistence_.commit(std::move(commit), storage_patience);
    if (outcome.value() == storage::Outcome::ok) co_return true;
    // It may be our own write whose first answer was lost.
    auto record = co_await persistence_.read_record(std::move(space), std::move(key));
    co_return record.value().version > 0 && record->data == to_json(account);
}

runtime::Task<Account> Accounts::register_account(std::string name, std::string password) {
    check_name(name);
    if (password.size() < password_bytes_min || password.size() > password_bytes_max) {
        throw Error{Code::invalid, "a password has {} to {} bytes", password_bytes_min, password_bytes_max};
    }
    auto existing = co_await persistence_.read_record("account", fold(name));
    if (existing.value().version > 0) throw Error{Code::conflict, "the account name \"{}\" is taken", name};
    auto work = [password = std::move(password), cost = cost_] { return hash_password(password, cost); };
    auto hashed = co_await pool_.run(loop_, std::move(work));
    Account account;
    account.name = name;
    account.password_hash = std::move(hashed).value().value();
    account.player = co_await new_player();
    const bool created = co_await create("account", fold(name), account);
    if (!created) throw Error{Code::conflict, "the account name \"{}\" is taken", name};
    co_return account;
}

runtime::Task<Account> Accounts::authenticate(std::string name, std::string password) {
    auto record = co_await persistence_.read_record("account", fold(name));
    const bool known = record.value().version > 0;
    Account account;
    if (known) account = from_json<Account>(record->data).value();
    // An unknown name costs as much as a wrong password, so that the time tells nobody which names exist.
    auto hash = known ? account.password_hash : dummy_hash(cost_);
    auto work = [hash = std::move(hash), password = std::move(password)] { return verify_password(hash, password); };
    auto verified = co_await pool_.run(loop_, std::move(work));
    const bool right = std::move(verified).value();
    if (!right || !known) throw Error{Code::unauthenticated, "the name or the password is wrong"};
    co_return account;
}

runtime::Task<Accounts::Guest> Accounts::guest(std::string key) {
    const bool is_new = key.empty();
    if (is_new) {
        std::array<std::uint8_t, 24> secret{};
        fill_random(secret);
        key = base64url_encode(secret);
    }
    const auto hashed = hex_encode(blake2b_256(as_bytes(key)));
    Guest guest;
    guest.key = std::move(key);
    if (!is_new) {
        auto record = co_await persistence_.read_record("guest", hashed);
        if (record.value().version == 0) {
            throw Error{Code::unauthenticated, "this guest key is not known; leave it out to get a new guest account"};
        }
        guest.account = from_json<Account>(record->data).value();
        co_return guest;
    }
    guest.account.player = co_await new_player();
    co_await create("guest", hashed, guest.account);
    co_return guest;
}

}  // namespace gs::login
