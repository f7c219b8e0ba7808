#include "storage/rules.hpp"

#include <algorithm>
#include <utility>

#include "base/planted.hpp"

namespace gs::storage {

namespace {

using Refusal = std::optional<Error>;

Refusal check_name(std::string_view what, std::string_view name) {
    if (name.empty()) return Error{Code::invalid, "storage: the {} is empty; it needs a name", what};
    if (name.size() <= name_bytes_max) return std::nullopt;
    return Error{Code::invalid, "storage: the {} \"{}...\" has {} bytes; at most {} are allowed",
                 what,          name.substr(0, 32),
                 name.size(),   name_bytes_max};
}

Refusal check_entity(const EntityWrite& write) {
    if (auto refused = check_name("kind of an entity", write.key.kind)) return refused;
    if (write.sequence == 0) {
        return Error{Code::invalid, "storage: {} is written with sequence 0; sequences start at 1 after each open",
                     write.key};
    }
    for (const auto& component : write.components) {
        if (auto refused = check_name("name of a component", component.name)) return refused;
        if (component.data.size() > data_bytes_max) {
            return Error{Code::invalid,         "storage: component \"{}\" of {} has {} bytes; at most {} are allowed",
                         component.name,        write.key,
                         component.data.size(), data_bytes_max};
        }
    }
    return std::nullopt;
}

Refusal check_record(const RecordWrite& write) {
    if (auto refused = check_name("space of a record", write.space)) return refused;
    if (auto refused = check_name("key of a record", write.key)) return refused;
    if (write.data && write.data->size() > data_bytes_max) {
        return Error{Code::invalid,      "storage: record \"{}\" in \"{}\" has {} bytes; at most {} are allowed",
                     write.key,          write.space,
                     write.data->size(), data_bytes_max};
    }
    return std::nullopt;
}

/// The first of `items` that `name_of` names as another one.
template <class Items, class NameOf>
auto find_twice(const Items& items, NameOf name_of) {
    std::vector<decltype(name_of(items.front()))> names;
    if (items.size() > 1) {
        for (const auto& item : items) names.push_back(name_of(item));
        std::sort(names.begin(), names.end());
    }
    const auto twice = std::adjacent_find(names.begin(), names.end());
    return twice == names.end() ? std::nullopt : std::optional{*twice};
}

// The checks come before the writes, so a second write of the same thing would be judged by a state that is gone.
Refusal check_commit(const Commit& commit) {
    for (const auto& write : commit.entities) {
        if (auto refused = check_entity(write)) return refused;
    }
    for (const auto& write : commit.records) {
        if (auto refused = check_record(write)) return refused;
    }
    const auto entity = find_twice(commit.entities, [](const EntityWrite& write) { return write.key; });
    if (entity) return Error{Code::invalid, "storage: {} is written twice in one commit; merge the writes", *entity};
    const auto record = find_twice(commit.records, [](const RecordWrite& write) {
        return std::pair<std::string_view, std::string_view>{write.space, write.key};
    });
    if (record) {
        return Error{Code::invalid, "storage: record \"{}\" in \"{}\" is written twice in one commit; merge the writes",
                     record->second, record->first};
    }
    return std::nullopt;
}

}  // namespace

std::optional<Error> refusal(const Request& request) {
    if (const auto* open = std::get_if<Open>(&request)) return check_name("kind of an entity", open->key.kind);
    if (const auto* commit = std::get_if<Commit>(&request)) return check_commit(*commit);
    return std::nullopt;  // what is only read is simply not found
}

void fail_all(std::span<Operation> batch, std::string_view reason) {
    for (auto& operation : batch) operation.result = Error::verbatim(Code::unavailable, std::string{reason});
}

std::optional<Error> judge_open(const Open& open, const std::optional<Ownership>& stored) {
    if (!open.expected || stored == open.expected) return std::nullopt;
    return Error{Code::fenced, "{} was opened or written meanwhile", open.key};
}

Outcome judge_entity(const EntityWrite& write, const std::optional<Ownership>& stored) {
    if (!stored) return Outcome::fenced;
    if (stored->epoch != write.epoch && !planted(PlantedBug::skip_epoch_check)) return Outcome::fenced;
    if (planted(PlantedBug::accept_old_sequence) && write.sequence == stored->sequence) return Outcome::ok;
    if (write.sequence <= stored->sequence) return Outcome::dup;
    return write.sequence == stored->sequence + 1 ? Outcome::ok : Outcome::fenced;
}

}  // namespace gs::storage
