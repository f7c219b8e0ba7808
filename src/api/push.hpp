#pragma once
// The pushes that a module says it sends: what the schema for clients is made from. One that was not declared cannot be
// sent, so that the schema is whole. Owner: the ModuleContext, longer than the module. Errors: internal.
#include <algorithm>
#include <vector>

#include "base/describe.hpp"
#include "base/error.hpp"
#include "base/message.hpp"
#include "wire/message.hpp"

namespace gs {

struct PushType {
    Command command;
    std::string_view name;
    const TypeDescription* type;
    bool state;  ///< only the latest one counts
};

class DeclaredPushes {
public:
    void add(Command command) { commands_.push_back(command); }

    /// The whole message, as clients get it.
    template <Push T>
    [[nodiscard]] Buffer encode(const T& message) const {
        require<T>();
        Buffer bytes;
        wire::write_message(bytes, {wire::Kind::push, false, command_of<T>, 0, 0, is_state<T>, is_secret<T>}, message);
        return bytes;
    }

    template <Push T>
    void require() const {
        if (std::find(commands_.begin(), commands_.end(), command_of<T>) != commands_.end()) return;
        throw Error{Code::internal, "push {0} is not declared; say context.pushes<{0}>() in the module's constructor",
                    name_of<T>()};
    }

private:
    std::vector<Command> commands_;  // a few
};

}  // namespace gs
