#include "modules/trade/messages.hpp"

#include "api/module.hpp"

namespace trade {

using gs::Code;
using gs::Error;
using gs::Player;

struct Purse {
    std::uint64_t gold = 0;
    bool opened = false;  ///< has had its first gold
    FIELDS(gold, opened)
};
GS_COMPONENT(Purse, "purse", Save::confirmed)

class Trade final : public gs::Module {
public:
    explicit Trade(gs::ModuleContext& context)
        : context_{context},
          first_gold_{static_cast<std::uint64_t>(
              context.config("first_gold", 100, {0, 1'000'000}, "pieces", "what a new player has"))},
          test_payments_{context.config("test_payments", false,
                                        "clients redeem payments that nobody has checked; never in production")} {
        context.component<Purse>();
        context.on(&Trade::show, this);
        context.on(&Trade::give, this);
        context.on(&Trade::redeem, this);
        context.on_together(&Trade::receive, this);
        context.pushes<Given>();
        context.on_enter([this](Player& player) {
            if (!player.get<Purse>().opened) player.edit<Purse>() = {first_gold_, true};
        });
    }

private:
    static constexpr std::size_t name_bytes_max = 100;

    Balance show(Player& player, const ShowBalance& /*request*/) { return {player.get<Purse>().gold}; }

    gs::Task<Balance> give(Player& player, Give request) {
        if (request.gold == 0) throw Error{Code::invalid, "give at least one piece of gold"};
        if (request.deal.size() > name_bytes_max) {
            throw Error{Code::invalid, "the name of a deal has at most {} bytes", name_bytes_max};
        }
        if (!request.deal.empty()) {
            const bool is_new = co_await context_.claim(player, "deal", request.deal);
            if (!is_new) co_return Balance{player.get<Purse>().gold};
        }
        auto& purse = player.edit<Purse>();
        if (purse.gold < request.gold) {
            throw Error{Code::conflict, "{} gold are not enough to give {}", purse.gold, request.gold};
        }
        purse.gold -= request.gold;
        Receive part;
        part.from = player.id();
        part.gold = request.gold;
        part.deal = request.deal;
        co_await context_.together(request.to, part);
        co_return Balance{player.get<Purse>().gold};
    }

    gs::Done receive(Player& player, const Receive& part) {
        auto& purse = player.edit<Purse>();
        purse.gold += part.gold;
        context_.push(player.id(), Given{part.from, part.gold, purse.gold, part.deal});
        return {};
    }

    gs::Task<Balance> redeem(Player& player, Redeem request) {
        if (!test_payments_) throw Error{Code::forbidden, "this server takes no payments from clients"};
        if (request.payment.empty() || request.payment.size() > name_bytes_max) {
            throw Error{Code::invalid, "the name of a payment has 1 to {} bytes", name_bytes_max};
        }
        const bool is_new = co_await context_.claim(player, "payment", request.payment);
        if (is_new) player.edit<Purse>().gold += request.gold;
        co_return Balance{player.get<Purse>().gold};
    }

    gs::ModuleContext& context_;
    std::uint64_t first_gold_;
    bool test_payments_;
};

}  // namespace trade

GS_MODULE(trade, trade::Trade)
