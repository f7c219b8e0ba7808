#include <catch2/catch.hpp>

#include "entity/turn.hpp"

namespace gs::entity::entity_test {

struct Wallet {
    std::uint64_t gold = 10;
    FIELDS(gold)
};
struct Position {
    std::int32_t x = 0, y = 0;
    FIELDS(x, y)
};
struct Mood {
    std::string text = "calm";
    FIELDS(text)
};
GS_COMPONENT(Wallet, "wallet", Save::confirmed)
GS_COMPONENT(Position, "position", Save::periodic)
GS_COMPONENT(Mood, "mood", Save::real_time)

namespace {

const std::vector<const ComponentType*> known{&component_type<Wallet>(), &component_type<Position>(),
                                              &component_type<Mood>()};

std::string written(const Entity& entity) {
    const auto write = entity.next_write();
    auto text = fmt::format("{} {}", write.epoch, write.sequence);
    for (const auto& component : write.components) text += fmt::format(" {}={}", component.name, component.data);
    return text;
}

TEST_CASE("an entity starts with the defaults of its components", "[entity][GAM-06]") {
    Entity entity{{"player", 7}};
    CHECK(entity.get<Wallet>().gold == 10);
    CHECK(entity.get<Mood>().text == "calm");
    CHECK_FALSE(entity.unsaved());
    CHECK(entity.next_write().components.empty());
}

TEST_CASE("an entity is loaded from what storage holds", "[entity][GAM-01][STO-12]") {
    Entity entity{{"player", 7}};
    REQUIRE(entity.load({OwnerEpoch{3}, {{"wallet", R"({"gold":99})"}, {"other module", "{broken"}}}, known));
    CHECK(entity.epoch() == OwnerEpoch{3});
    CHECK(entity.get<Wallet>().gold == 99);
    CHECK(entity.get<Position>().x == 0);
    CHECK_FALSE(entity.unsaved());

    const auto broken = entity.load({OwnerEpoch{4}, {{"wallet", R"({"gold":"much"})"}}}, known);
    REQUIRE_FALSE(broken);
    CHECK(broken.error().code() == Code::internal);
    CHECK_THAT(broken.error().message(), Catch::Contains("wallet") && Catch::Contains("player:7"));
}

TEST_CASE("components are edited only in a turn", "[entity][GAM-06]") {
    Entity entity{{"player", 7}};
    CHECK_THROWS_WITH(entity.edit<Wallet>(), Catch::Contains("outside of a turn") && Catch::Contains("wallet"));
    Turn turn{entity};
    CHECK_NOTHROW(entity.edit<Wallet>());
    turn.undo();
    CHECK_THROWS_AS(entity.edit<Wallet>(), Error);
}

TEST_CASE("the edits of a turn are undone together", "[entity][GAM-06][STO-12]") {
    Entity entity{{"player", 7}};
    {
        Turn turn{entity};
        entity.edit<Position>().x = 1;
        turn.keep(false);
    }
    CHECK(entity.unsaved());
    const auto before = written(entity);
    {
        Turn turn{entity};
        entity.edit<Wallet>().gold = 500;
        entity.edit<Wallet>().gold += 1;
        entity.edit<Position>().x = 2;
        entity.edit<Mood>().text = "angry";
        CHECK(entity.get<Wallet>().gold == 501);
        CHECK(turn.needs_commit());
        turn.undo();
    }
    CHECK(entity.get<Wallet>().gold == 10);
    CHECK(entity.get<Position>().x == 1);
    CHECK(entity.get<Mood>().text == "calm");
    CHECK(entity.unsaved());  // the position of the turn before
    CHECK_FALSE(entity.unsaved_real_time());
    CHECK(written(entity) == before);
}

TEST_CASE("a write holds everything unsaved and the sequence rises when it is done", "[entity][STO-12][GAM-05]") {
    Entity entity{{"player", 7}};
    REQUIRE(entity.load({OwnerEpoch{3}, {}}, known));
    {
        Turn turn{entity};
        entity.edit<Position>().y = 5;
        CHECK_FALSE(turn.needs_commit());
        turn.keep(false);
    }
    CHECK(entity.unsaved());
    CHECK_FALSE(entity.unsaved_real_time());
    CHECK(written(entity) == R"(3 1 position={"x":0,"y":5})");
    CHECK(written(entity) == R"(3 1 position={"x":0,"y":5})");
    {
        Turn turn{entity};
        entity.edit<Mood>().text = "glad";
        turn.keep(false);
    }
    CHECK(entity.unsaved_real_time());
    {
        Turn turn{entity};
        entity.edit<Wallet>().gold = 11;
        CHECK(turn.needs_commit());
        const auto commit = turn.commit();
        REQUIRE(commit.entities.size() == 1);
        CHECK(commit.entities[0].key == EntityKey{"player", 7});
        CHECK(commit.entities[0].sequence == 1);
        CHECK(commit.entities[0].components.size() == 3);
        turn.keep(true);
    }
    CHECK_FALSE(entity.unsaved());
    CHECK_FALSE(entity.unsaved_real_time());
    CHECK(written(entity) == "3 2");
    CHECK(entity.get<Wallet>().gold == 11);
    REQUIRE(entity.load({OwnerEpoch{4}, {}}, known));
    CHECK(written(entity) == "4 1");
    CHECK(entity.get<Wallet>().gold == 10);
}

TEST_CASE("a change saved before and edited again and undone stays saved", "[entity][STO-12]") {
    Entity entity{{"player", 7}};
    {
        Turn turn{entity};
        entity.edit<Wallet>().gold = 11;
        turn.keep(true);
    }
    {
        Turn turn{entity};
        entity.edit<Wallet>().gold = 12;
        turn.undo();
    }
    CHECK_FALSE(entity.unsaved());
    CHECK(entity.get<Wallet>().gold == 11);
}

TEST_CASE("records are committed with the entity", "[entity][STO-12]") {
    Entity entity{{"player", 7}};
    Turn turn{entity};
    CHECK_FALSE(turn.needs_commit());
    turn.write_record({"names", "anna", 0, "7"});
    CHECK(turn.needs_commit());
    const auto commit = turn.commit();
    REQUIRE(commit.records.size() == 1);
    CHECK(commit.records[0].key == "anna");
    turn.keep(true);
}

TEST_CASE("what waits for the commit runs in order and never after an undo", "[entity][GAM-07]") {
    Entity entity{{"player", 7}};
    std::string ran;
    SECTION("kept") {
        Turn turn{entity};
        for (const char letter : {'a', 'b', 'c'}) {
            turn.after_commit([&ran, &turn, letter] {
                ran += letter;
                if (letter != 'b') return;
                for (const char late : {'x', 'y', 'z'}) turn.after_commit([&ran, late] { ran += late; });
            });
        }
        CHECK(ran.empty());
        turn.keep(true);
        CHECK(ran == "abcxyz");
    }
    SECTION("undone") {
        const auto held = std::make_shared<int>(0);
        Turn turn{entity};
        turn.after_commit([&ran, held] { ran += 'a'; });
        turn.undo();
        CHECK(held.use_count() == 1);
        CHECK(ran.empty());
    }
}

TEST_CASE("the current turn is the one whose code runs", "[entity][GAM-07]") {
    Entity entity{{"player", 7}};
    Turn turn{entity};
    CHECK(Turn::current() == nullptr);
    {
        const runtime::ContextScope scope{&turn};
        CHECK(Turn::current() == &turn);
    }
    CHECK(Turn::current() == nullptr);
    turn.undo();
}

}  // namespace
}  // namespace gs::entity::entity_test
