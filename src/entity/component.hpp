#pragma once
// Components: the typed data that an entity is made of. Declared once beside the struct:
//   struct Wallet { std::uint64_t gold = 0; FIELDS(gold) };
//   GS_COMPONENT(Wallet, "wallet", Save::confirmed)
// Stored as JSON under that name; append fields only.
#include <memory>
#include <string_view>
#include <typeindex>

#include "base/describe.hpp"
#include "base/msgpack.hpp"

namespace gs::entity {

/// When a change is saved, and what waits for it.
enum class Save : std::uint8_t {
    confirmed,  ///< with the turn: the reply and every push wait until storage says durable (currency, items, accounts)
    real_time,  ///< at once, nothing waits: a crash loses at most a second
    periodic,   ///< spread over the period (game.save_period_seconds)
    on_leave,   ///< when the player leaves or the server stops
};

template <class T>
struct ComponentInfo {
    std::string_view name;
    Save save;
};

template <class T>
concept Component = HasFields<T> && requires(const T* component) {
    gs_component_info(component);
};

/// A component of any type behind one interface. Owner: the entity.
class ComponentValue {
public:
    virtual ~ComponentValue() = default;
    [[nodiscard]] virtual std::unique_ptr<ComponentValue> clone() const = 0;
    [[nodiscard]] virtual std::string to_json() const = 0;
};

template <class T>
struct ComponentOf final : ComponentValue {
    T value{};
    [[nodiscard]] std::unique_ptr<ComponentValue> clone() const override {
        auto copy = std::make_unique<ComponentOf>();
        copy->value = value;
        return copy;
    }
    [[nodiscard]] std::string to_json() const override { return gs::to_json(value); }
};

/// What the dispatcher knows about a component type. Static storage.
struct ComponentType {
    std::string_view name;
    Save save;
    std::unique_ptr<ComponentValue> (*make)();
    Result<std::unique_ptr<ComponentValue>> (*from_json)(std::string_view json);
};

template <Component T>
[[nodiscard]] const ComponentType& component_type() {
    static const ComponentType type{
        gs_component_info(static_cast<const T*>(nullptr)).name, gs_component_info(static_cast<const T*>(nullptr)).save,
        []() -> std::unique_ptr<ComponentValue> { return std::make_unique<ComponentOf<T>>(); },
        [](std::string_view json) -> Result<std::unique_ptr<ComponentValue>> {
            auto value = gs::from_json<T>(json);
            if (!value) return value.error();
            auto made = std::make_unique<ComponentOf<T>>();
            made->value = std::move(*value);
            return std::unique_ptr<ComponentValue>{std::move(made)};
        }};
    return type;
}

}  // namespace gs::entity

#define GS_COMPONENT(type, name, save) \
    constexpr ::gs::entity::ComponentInfo<type> gs_component_info(const type*) { return {name, ::gs::entity::save}; }
