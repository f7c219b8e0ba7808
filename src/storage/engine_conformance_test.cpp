// What every engine must do alike: the same stories over each of them.
#include <limits>
#include <memory>

#include <catch2/catch.hpp>

#include "storage/memory/memory_engine.hpp"
#include "storage/rules.hpp"
#include "storage/scratch_directory.hpp"
#include "storage/sqlite/sqlite_engine.hpp"

using namespace gs;
using namespace gs::storage;

namespace {

struct MemoryBackend {
    std::unique_ptr<Engine> engine = make_memory_engine();
};
struct SqliteBackend {
    ScratchDirectory directory;
    std::unique_ptr<Engine> engine = open_sqlite_engine(directory.file("game.db")).value();
};

template <class Reply, class Asked>
Reply ask(Engine& engine, Asked asked) {
    Operation operation{std::move(asked)};
    engine.run({&operation, 1});
    return std::get<Reply>(operation.result);
}

EntityWrite save(EntityKey key, OwnerEpoch epoch, std::uint64_t sequence, std::string data) {
    return {std::move(key), epoch, sequence, {{"wallet", std::move(data)}}};
}
Outcome commit(Engine& engine, std::vector<EntityWrite> entities, std::vector<RecordWrite> records = {}) {
    return ask<Committed>(engine, Commit{std::move(entities), std::move(records)}).outcome;
}
std::string wallet(Engine& engine, const EntityKey& key) {
    const auto components = ask<Loaded>(engine, Load{key}).components;
    return components.empty() ? "" : components.front().data;
}
Record record(Engine& engine, const std::string& key) { return ask<Record>(engine, ReadRecord{"name", key}); }

const EntityKey ann{"player", 1};
const EntityKey bob{"player", std::numeric_limits<std::uint64_t>::max()};

}  // namespace

TEMPLATE_TEST_CASE("open raises the epoch and gives back what was saved", "[storage][STO-11][STO-13]", MemoryBackend,
                   SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    CHECK(ask<Loaded>(engine, Load{bob}).components.empty());
    const auto first = ask<Opened>(engine, Open{bob});
    CHECK(first.epoch == OwnerEpoch{1});
    CHECK(first.components.empty());
    REQUIRE(commit(engine, {{bob, first.epoch, 1, {{"zoo", "1"}, {"bag", "{\"a\":\"\\u00e4 \xc3\xa4\"}"}}}}) ==
            Outcome::ok);
    REQUIRE(commit(engine, {{bob, first.epoch, 2, {{"bag", ""}}}}) == Outcome::ok);

    const auto second = ask<Opened>(engine, Open{bob});
    CHECK(second.epoch == OwnerEpoch{2});
    REQUIRE(second.components.size() == 2);
    CHECK(second.components[0].name == "bag");
    CHECK(second.components[0].data.empty());
    CHECK(second.components[1].name == "zoo");
    CHECK(second.components[1].data == "1");
    CHECK(commit(engine, {save(bob, second.epoch, 1, "{}")}) == Outcome::ok);
    CHECK(ask<Loaded>(engine, Load{ann}).components.empty());
}

TEMPLATE_TEST_CASE("open after a write is refused once another owner or another write came between",
                   "[storage][GAM-05][CEN-05]", MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    const auto open_after = [&](const EntityKey& key, OwnerEpoch epoch, std::uint64_t sequence) {
        Operation operation{Open{key, Ownership{epoch, sequence}}};
        engine.run({&operation, 1});
        const auto* refused = std::get_if<Error>(&operation.result);
        if (refused != nullptr) CHECK(refused->code() == Code::fenced);
        return refused == nullptr ? std::get<Opened>(operation.result).epoch : OwnerEpoch{};
    };
    const auto first = ask<Opened>(engine, Open{ann}).epoch;
    REQUIRE(commit(engine, {save(ann, first, 1, "a")}) == Outcome::ok);
    REQUIRE(commit(engine, {save(ann, first, 2, "b")}) == Outcome::ok);
    CHECK(open_after(ann, first, 1) == OwnerEpoch{});
    CHECK(open_after(ann, first, 3) == OwnerEpoch{});
    CHECK(commit(engine, {save(ann, first, 3, "still the owner")}) == Outcome::ok);
    CHECK(open_after(ann, first, 2) == OwnerEpoch{});
    const auto second = open_after(ann, first, 3);
    CHECK(second == OwnerEpoch{2});
    CHECK(open_after(ann, first, 3) == OwnerEpoch{});
    CHECK(commit(engine, {save(ann, first, 4, "late")}) == Outcome::fenced);
    CHECK(open_after(ann, second, 0) == OwnerEpoch{3});
    // Of one that was never opened nobody can know a write, and nothing is created.
    CHECK(open_after(bob, OwnerEpoch{0}, 0) == OwnerEpoch{});
    CHECK(ask<Opened>(engine, Open{bob}).epoch == OwnerEpoch{1});
}

TEMPLATE_TEST_CASE("stale_save_loses", "[storage][regression][GAM-05]", MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    const auto old_owner = ask<Opened>(engine, Open{ann}).epoch;
    REQUIRE(commit(engine, {save(ann, old_owner, 1, "old")}) == Outcome::ok);
    const auto new_owner = ask<Opened>(engine, Open{ann}).epoch;
    REQUIRE(commit(engine, {save(ann, new_owner, 1, "new")}) == Outcome::ok);
    // The paused owner wakes up: the next of its sequence, a repetition, and the number that would fit the new owner.
    CHECK(commit(engine, {save(ann, old_owner, 2, "stale")}) == Outcome::fenced);
    CHECK(commit(engine, {save(ann, old_owner, 1, "stale")}) == Outcome::fenced);
    CHECK(wallet(engine, ann) == "new");
    CHECK(commit(engine, {save(ann, new_owner, 2, "newer")}) == Outcome::ok);
}

TEMPLATE_TEST_CASE("a repeated sequence is a dup and a gap is fenced", "[storage][GAM-05]", MemoryBackend,
                   SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    CHECK(commit(engine, {save(ann, OwnerEpoch{0}, 1, "unowned")}) == Outcome::fenced);
    const auto epoch = ask<Opened>(engine, Open{ann}).epoch;
    CHECK(commit(engine, {save(ann, epoch, 2, "gap")}) == Outcome::fenced);
    CHECK(commit(engine, {save(ann, epoch, 1, "a")}) == Outcome::ok);
    CHECK(commit(engine, {save(ann, epoch, 2, "b")}) == Outcome::ok);
    CHECK(commit(engine, {save(ann, epoch, 1, "again")}) == Outcome::dup);
    CHECK(commit(engine, {save(ann, epoch, 2, "again")}) == Outcome::dup);
    CHECK(commit(engine, {save(ann, epoch, 4, "gap")}) == Outcome::fenced);
    CHECK(wallet(engine, ann) == "b");
}

TEMPLATE_TEST_CASE("several entities are written together or not at all", "[storage][GAM-05]", MemoryBackend,
                   SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    const auto a = ask<Opened>(engine, Open{ann}).epoch;
    const auto b = ask<Opened>(engine, Open{bob}).epoch;
    CHECK(commit(engine, {save(ann, a, 1, "a1"), save(bob, b, 1, "b1")}) == Outcome::ok);
    CHECK(commit(engine, {save(ann, a, 1, "x"), save(bob, b, 1, "x")}) == Outcome::dup);
    CHECK(commit(engine, {save(ann, a, 2, "x"), save(bob, b, 1, "x")}) == Outcome::fenced);
    CHECK(commit(engine, {save(ann, a, 2, "x"), save(bob, b, 3, "x")}) == Outcome::fenced);
    CHECK(commit(engine, {save(ann, a, 2, "x"), save({"guild", 7}, a, 1, "x")}) == Outcome::fenced);
    CHECK(wallet(engine, ann) == "a1");
    CHECK(wallet(engine, bob) == "b1");
    CHECK(commit(engine, {save(ann, a, 2, "a2"), save(bob, b, 2, "b2")}) == Outcome::ok);
    CHECK(wallet(engine, ann) == "a2");
}

TEMPLATE_TEST_CASE("a common write that is repeated was done or not, wherever the second entity is now",
                   "[storage][GAM-05][NEW-04]", MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    const auto a = ask<Opened>(engine, Open{ann}).epoch;
    const auto b = ask<Opened>(engine, Open{bob}).epoch;
    const std::vector<EntityWrite> common{save(ann, a, 1, "gave"), save(bob, b, 1, "got")};
    SECTION("it was done, and the second one has a new owner before the first hears of it") {
        REQUIRE(commit(engine, common) == Outcome::ok);
        const auto newer = ask<Opened>(engine, Open{bob}).epoch;
        CHECK(commit(engine, common) == Outcome::dup);
        CHECK(commit(engine, {save(bob, newer, 1, "spent")}) == Outcome::ok);
        CHECK(commit(engine, common) == Outcome::dup);
        CHECK(wallet(engine, bob) == "spent");
    }
    SECTION("the second one wrote something else under that number, so it can never be done") {
        REQUIRE(commit(engine, {save(bob, b, 1, "nothing")}) == Outcome::ok);
        CHECK(commit(engine, common) == Outcome::fenced);
        CHECK(wallet(engine, ann).empty());
    }
    SECTION("the second one has a new owner, and it was not done") {
        ask<Opened>(engine, Open{bob});
        CHECK(commit(engine, common) == Outcome::fenced);
        CHECK(wallet(engine, ann).empty());
    }
}

TEMPLATE_TEST_CASE("records change by compare and swap", "[storage][STO-11]", MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    CHECK(record(engine, "ann").version == 0);
    CHECK(commit(engine, {}, {{"name", "ann", 0, "1"}}) == Outcome::ok);
    CHECK(commit(engine, {}, {{"name", "ann", 0, "2"}}) == Outcome::conflict);
    CHECK(record(engine, "ann").version == 1);
    CHECK(record(engine, "ann").data == "1");
    CHECK(commit(engine, {}, {{"name", "ann", 1, "2"}}) == Outcome::ok);
    CHECK(commit(engine, {}, {{"name", "ann", 1, "3"}, {"name", "other", 0, "3"}}) == Outcome::conflict);
    CHECK(record(engine, "other").version == 0);
    CHECK(record(engine, "ann").version == 2);
    CHECK(record(engine, "ann").data == "2");
}

TEMPLATE_TEST_CASE("the records of a space are listed in pages", "[storage][STO-11]", MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    for (const auto* key : {"b", "a", "d", "c"}) REQUIRE(commit(engine, {}, {{"name", key, 0, key}}) == Outcome::ok);
    REQUIRE(commit(engine, {}, {{"namf", "e", 0, "e"}, {"nam", "z", 0, "z"}}) == Outcome::ok);
    REQUIRE(commit(engine, {}, {{"name", "c", 1, std::nullopt}, {"name", "d", 1, "d2"}}) == Outcome::ok);
    const auto keys = [&](const std::string& after, std::uint32_t most) {
        std::string text;
        for (const auto& one : ask<RecordList>(engine, ListRecords{"name", after, most}).records)
            text += fmt::format("{}{}{} ", one.key, one.version, one.data);
        return text;
    };
    CHECK(keys("", 10) == "a1a b1b d2d2 ");
    CHECK(keys("", 2) == "a1a b1b ");
    CHECK(keys("b", 2) == "d2d2 ");
    CHECK(keys("d", 2).empty());
}

TEMPLATE_TEST_CASE("a record that is deleted and created again has no version twice", "[storage][STO-11]",
                   MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    REQUIRE(commit(engine, {}, {{"name", "ann", 0, "old"}}) == Outcome::ok);
    CHECK(commit(engine, {}, {{"name", "ann", 2, std::nullopt}}) == Outcome::conflict);
    CHECK(commit(engine, {}, {{"name", "ann", 1, std::nullopt}}) == Outcome::ok);
    CHECK(record(engine, "ann").version == 0);
    CHECK(record(engine, "ann").data.empty());
    CHECK(commit(engine, {}, {{"name", "ann", 0, std::nullopt}}) == Outcome::ok);
    CHECK(commit(engine, {}, {{"name", "ann", 0, "new"}}) == Outcome::ok);
    CHECK(commit(engine, {}, {{"name", "ann", 1, "stale"}}) == Outcome::conflict);
    CHECK(commit(engine, {}, {{"name", "ann", 0, std::nullopt}}) == Outcome::conflict);
    CHECK(record(engine, "ann").version == 3);
    CHECK(record(engine, "ann").data == "new");
}

TEMPLATE_TEST_CASE("a conflict holds back the entities and a dup does not look at records", "[storage][GAM-05]",
                   MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    const auto epoch = ask<Opened>(engine, Open{ann}).epoch;
    REQUIRE(commit(engine, {save(ann, epoch, 1, "paid")}, {{"name", "payment", 0, "1"}}) == Outcome::ok);
    CHECK(commit(engine, {save(ann, epoch, 1, "twice")}, {{"name", "payment", 0, "1"}}) == Outcome::dup);
    CHECK(commit(engine, {save(ann, epoch, 2, "twice")}, {{"name", "payment", 0, "1"}}) == Outcome::conflict);
    CHECK(wallet(engine, ann) == "paid");
    CHECK(commit(engine, {save(ann, epoch, 2, "more")}, {{"name", "payment2", 0, "1"}}) == Outcome::ok);
}

TEMPLATE_TEST_CASE("a batch runs in order and one that fails does not disturb the others", "[storage][STO-02][STO-05]",
                   MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    std::vector<Operation> batch;
    batch.push_back({Open{ann}});
    batch.push_back({Commit{{save(ann, OwnerEpoch{1}, 1, "one")}, {}}});
    batch.push_back({Load{ann}});
    batch.push_back({Commit{{save(ann, OwnerEpoch{1}, 2, std::string(data_bytes_max + 1, 'x'))}, {}}});
    batch.push_back({Commit{{save(ann, OwnerEpoch{9}, 2, "fenced")}, {{"name", "trace", 0, "1"}}}});
    batch.push_back({Commit{{save(ann, OwnerEpoch{1}, 2, "two")}, {{"name", "ann", 0, "1"}}}});
    batch.push_back({Commit{{save(ann, OwnerEpoch{1}, 3, "conflict")}, {{"name", "ann", 0, "1"}}}});
    batch.push_back({ReadRecord{"name", "ann"}});
    batch.push_back({ReadRecord{"name", "trace"}});
    batch.push_back({Open{ann}});
    batch.push_back({Commit{{save(ann, OwnerEpoch{1}, 3, "stale")}, {}}});
    engine.run(batch);

    CHECK(std::get<Opened>(batch[0].result).epoch == OwnerEpoch{1});
    CHECK(std::get<Committed>(batch[1].result).outcome == Outcome::ok);
    CHECK(std::get<Loaded>(batch[2].result).components.at(0).data == "one");
    CHECK(std::get<Error>(batch[3].result).code() == Code::invalid);
    CHECK(std::get<Committed>(batch[4].result).outcome == Outcome::fenced);
    CHECK(std::get<Committed>(batch[5].result).outcome == Outcome::ok);
    CHECK(std::get<Committed>(batch[6].result).outcome == Outcome::conflict);
    CHECK(std::get<Record>(batch[7].result).version == 1);
    CHECK(std::get<Record>(batch[8].result).version == 0);
    CHECK(std::get<Opened>(batch[9].result).components.at(0).data == "two");
    CHECK(std::get<Committed>(batch[10].result).outcome == Outcome::fenced);
    CHECK(wallet(engine, ann) == "two");
    engine.run({});
}

TEMPLATE_TEST_CASE("absurd requests are refused by name", "[storage]", MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    const auto epoch = ask<Opened>(engine, Open{ann}).epoch;
    const auto refused = [&](std::vector<EntityWrite> entities, std::vector<RecordWrite> records = {}) {
        const auto error = ask<Error>(engine, Commit{std::move(entities), std::move(records)});
        CHECK(error.code() == Code::invalid);
        return error.message();
    };
    CHECK_THAT(refused({save(ann, epoch, 1, std::string(data_bytes_max + 1, 'x'))}),
               Catch::Contains("\"wallet\" of player:1"));
    CHECK_THAT(refused({}, {{"name", "ann", 0, std::string(data_bytes_max + 1, 'x')}}),
               Catch::Contains("\"ann\" in \"name\""));
    CHECK_THAT(refused({save(ann, epoch, 0, "x")}), Catch::Contains("start at 1"));
    CHECK_THAT(refused({save(ann, epoch, 1, "x"), save(ann, epoch, 2, "y")}),
               Catch::Contains("player:1 is written twice"));
    CHECK_THAT(refused({}, {{"name", "ann", 0, "1"}, {"name", "ann", 1, "2"}}), Catch::Contains("written twice"));
    CHECK_THAT(refused({save({"", 1}, epoch, 1, "x")}), Catch::Contains("empty"));
    CHECK_THAT(refused({}, {{"name", std::string(name_bytes_max + 1, 'k'), 0, "1"}}), Catch::Contains("256 bytes"));
    CHECK(ask<Error>(engine, Open{{"", 1}}).code() == Code::invalid);
    CHECK(commit(engine, {save(ann, epoch, 1, std::string(data_bytes_max, 'x'))}) == Outcome::ok);
}

TEMPLATE_TEST_CASE("a mark is kept with the write that brings it, and until the next one that does",
                   "[storage][STO-11][SES-03]", MemoryBackend, SqliteBackend) {
    TestType backend;
    auto& engine = *backend.engine;
    const auto first = ask<Opened>(engine, Open{ann});
    CHECK(first.mark.empty());
    REQUIRE(commit(engine, {{ann, first.epoch, 1, {{"bag", "1"}}, R"({"done":7})"}}) == Outcome::ok);
    REQUIRE(commit(engine, {{ann, first.epoch, 2, {{"bag", "2"}}}}) == Outcome::ok);
    CHECK(commit(engine, {{ann, first.epoch, 2, {}, R"({"done":8})"}}) == Outcome::dup);
    const auto second = ask<Opened>(engine, Open{ann});
    CHECK(second.mark == R"({"done":7})");
    CHECK(commit(engine, {{ann, first.epoch, 3, {}, R"({"done":9})"}}) == Outcome::fenced);
    REQUIRE(commit(engine, {{ann, second.epoch, 1, {}, R"({"done":10})"}}) == Outcome::ok);
    CHECK(ask<Opened>(engine, Open{ann}).mark == R"({"done":10})");
}
