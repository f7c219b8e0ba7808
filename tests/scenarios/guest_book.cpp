#include "tests/scenarios/guest_book.hpp"

namespace gs::scenarios {

std::uint64_t guests_left = 0;

class GuestBook final : public Module {
public:
    explicit GuestBook(ModuleContext& context) {
        context.component<Visits>();
        context.on(&GuestBook::count, this);
        context.on_enter([](Player& player) { ++player.edit<Visits>().entered; });
        context.on_leave([](Player& player) {
            ++guests_left;
            ++player.edit<Visits>().left;
        });
    }

private:
    Visits count(Player& player, const CountVisits& /*request*/) { return player.get<Visits>(); }
};

}  // namespace gs::scenarios

GS_MODULE(guest_book, gs::scenarios::GuestBook)
