#pragma once
// Gold that players give each other and buy, without ever losing or doubling a piece: the reply to each request means
// that it is stored.
#include "api/message.hpp"

namespace trade {

struct Balance {
    std::uint64_t gold = 0;
    FIELDS(gold)
};
struct ShowBalance {
    FIELDS()
};

/// To a player who plays now. Code::conflict when there is not enough, or when the other changed meanwhile; Code::busy
/// when the other one does something else: nothing was done then. A deal is a name that the client chooses, unlike any
/// other: the same one again gives nothing and is no error, so that who was not told how it ended can ask again, in
/// this session or a later one. Without one each Give is another one.
struct Give {
    gs::PlayerId to{};
    std::uint64_t gold = 0;
    std::string deal{};
    FIELDS(to, gold, deal)
};
/// To whom gold was given.
struct Given {
    gs::PlayerId from{};
    std::uint64_t gold = 0;
    std::uint64_t balance = 0;
    std::string deal{};
    FIELDS(from, gold, balance, deal)
};

/// What a provider of payments says was paid. The same payment again gives nothing and is no error; one that another
/// player has redeemed is Code::conflict. Only with module.trade.test_payments: a real game asks the provider first.
struct Redeem {
    std::string payment;
    std::uint64_t gold = 0;
    FIELDS(payment, gold)
};

/// The other player's part of Give.
struct Receive {
    gs::PlayerId from{};
    std::uint64_t gold = 0;
    std::string deal{};
    FIELDS(from, gold, deal)
};

GS_REQUEST(1300, ShowBalance, Balance)
GS_REQUEST(1301, Give, Balance)
GS_REQUEST(1302, Redeem, Balance)
GS_PUSH(1303, Given)
GS_PART(1304, Receive, gs::Done)

}  // namespace trade
