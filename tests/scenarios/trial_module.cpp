#include "tests/scenarios/trial_module.hpp"

namespace gs::scenarios {

bool trial_leave_fails = false;
std::function<void()> trial_entering;

class Trial final : public Module {
public:
    /// A client of the version "1.0 to arena" goes to the group "arena".
    static std::string route(const Login& login) {
        const auto place = login.client_version.find(" to ");
        return std::string{place == std::string_view::npos ? "" : login.client_version.substr(place + 4)};
    }

    explicit Trial(ModuleContext& context) : context_{context} {
        context.component<Wallet>();
        context.component<QuickNote>();
        context.component<PeriodicNote>();
        context.component<LeaveNote>();
        context.on(&Trial::deposit, this);
        context.on(&Trial::deposit_and_fail, this);
        context.on(&Trial::deposit_and_fail_late, this);
        context.on(&Trial::count, this);
        context.on(&Trial::write_notes, this);
        context.on(&Trial::read_notes, this);
        context.on(&Trial::wait, this);
        context.on(&Trial::tell_players, this);
        context.on(&Trial::tell_all, this);
        context.serve(&Trial::look_up_gold, this);
        context.on(&Trial::tell_scene, this);
        context.on(&Trial::tell_mood, this);
        context.pushes<Told, Mood>();
        context.on(&Trial::tell_undeclared, this);
        context.on_enter([](Player&) {
            if (trial_entering) trial_entering();
        });
        context.on_leave([](Player&) {
            if (trial_leave_fails) throw Error{Code::internal, "the leave hook of a test"};
        });
    }

private:
    Gold deposit(Player& player, const Deposit& request) {
        auto& wallet = player.edit<Wallet>();
        wallet.gold += request.gold;
        if (request.tell_all) context_.push_all(Told{fmt::format("{} has {}", player.id(), wallet.gold)});
        return {wallet.gold};
    }

    Gold deposit_and_fail(Player& player, const FailingDeposit& request) {
        deposit(player, {request.gold, true});
        throw Error{Code::forbidden, "the deposit of a test fails"};
    }

    Task<Gold> deposit_and_fail_late(Player& player, LateFailingDeposit request) {
        deposit(player, {request.gold, true});
        co_await sleep(context_.loop(), std::chrono::milliseconds{100});
        throw Error{Code::forbidden, "the deposit of a test fails late"};
        co_return Gold{};
    }

    Gold count(Player& player, const CountGold& /*request*/) { return {player.get<Wallet>().gold}; }

    Done write_notes(Player& player, const WriteNotes& request) {
        if (!request.quick.empty()) player.edit<QuickNote>().text = request.quick;
        if (!request.periodic.empty()) player.edit<PeriodicNote>().text = request.periodic;
        if (!request.leave.empty()) player.edit<LeaveNote>().text = request.leave;
        return {};
    }

    Notes read_notes(Player& player, const ReadNotes& /*request*/) {
        return {player.get<QuickNote>().text, player.get<PeriodicNote>().text, player.get<LeaveNote>().text};
    }

    Task<Done> wait(Player& /*player*/, Wait request) {
        co_await sleep(context_.loop(), std::chrono::milliseconds{request.milliseconds});
        co_return Done{};
    }

    Done tell_players(Player& /*player*/, const TellPlayers& request) {
        context_.push(request.players, Told{request.text});
        return {};
    }

    Done tell_all(Player& /*player*/, const TellAll& request) {
        context_.push_all(Told{request.text});
        return {};
    }

    Done tell_undeclared(Player& player, const TellUndeclared& /*request*/) {
        context_.push(player.id(), Undeclared{});
        return {};
    }

    Done tell_scene(Player& player, const TellScene& request) {
        const auto scene = context_.scene(request.scene);
        if (request.enter) scene.enter(player.id());
        for (std::uint32_t number = 0; number < request.more; ++number)
            context_.scene(fmt::format("{} {}", request.scene, number)).enter(player.id());
        if (request.leave) scene.leave(player.id());
        if (request.first != PlayerId{}) context_.push(request.first, Told{"alone"});
        scene.push(Told{request.text});
        if (request.fail) throw Error{Code::invalid, "it was told to fail"};
        return {};
    }

    Done tell_mood(Player& /*player*/, const TellMood& request) {
        if (!request.between.empty()) context_.push(request.player, Told{request.between + " before"});
        context_.push(request.player, Mood{request.text});
        if (!request.between.empty()) context_.push(request.player, Told{request.between + " after"});
        return {};
    }

    Task<Gold> look_up_gold(PlayerId /*asker*/, LookUpGold request) {
        if (request.milliseconds > 0) co_await sleep(context_.loop(), std::chrono::milliseconds{request.milliseconds});
        auto wallet = co_await context_.look_up<Wallet>(request.player);
        co_return Gold{wallet.gold};
    }

    ModuleContext& context_;
};

}  // namespace gs::scenarios

GS_MODULE(trial, gs::scenarios::Trial, &gs::scenarios::Trial::route)
