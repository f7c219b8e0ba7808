#pragma once
// Accounts in storage: names with passwords, and guests known by a secret key of their device. Loop: the login's.
#include <string>

#include "api/crypto.hpp"
#include "api/role.hpp"
#include "api/storage.hpp"

namespace gs::login {

inline constexpr std::size_t account_name_bytes_max = 32;

struct Account {
    PlayerId player{};
    std::string name;  ///< as it was written at registration; empty for guests
    std::string password_hash;
    FIELDS(player, name, password_hash)
};

/// Names that differ in case only are the same account.
[[nodiscard]] std::string fold(std::string name);

class Accounts {
public:
    Accounts(entity::Persistence& persistence, runtime::BlockingPool& pool, runtime::Loop& loop, PasswordCost cost)
        : persistence_{persistence}, pool_{pool}, loop_{loop}, cost_{cost} {}

    /// Errors: invalid (name or password against the rules), conflict (the name is taken), busy.
    [[nodiscard]] runtime::Task<Account> register_account(std::string name, std::string password);
    /// Errors: unauthenticated, the same for a wrong name and a wrong password; busy.
    [[nodiscard]] runtime::Task<Account> authenticate(std::string name, std::string password);

    struct Guest {
        Account account;
        std::string key;
    };
    /// A new guest when `key` is empty. Errors: unauthenticated (no such key).
    [[nodiscard]] runtime::Task<Guest> guest(std::string key);

private:
    [[nodiscard]] runtime::Task<PlayerId> new_player();
    [[nodiscard]] runtime::Task<bool> create(std::string space, std::string key, Account account);

    entity::Persistence& persistence_;
    runtime::BlockingPool& pool_;
    runtime::Loop& loop_;
    PasswordCost cost_;
    std::uint64_t next_player_ = 0, last_player_ = 0;
    entity::Mailbox ids_;
};

}  // namespace gs::login
