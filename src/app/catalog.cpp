#include "app/catalog.hpp"

#include <map>

#include "app/node.hpp"
#include "runtime/virtual_loop.hpp"
#include "transport/memory/memory_transport.hpp"

namespace gs::app {

Result<void> declare_all(SettingsTree& tree, bool development, std::span<const RoleInfo* const> roles,
                         std::span<const ModuleInfo* const> modules) {
    std::map<std::string_view, int> names;
    for (const auto* module : modules) {
        if (++names[module->name] > 1) return Error{Code::conflict, "two modules are named \"{}\"", module->name};
    }
    runtime::VirtualTime time;
    runtime::VirtualLoop loop{time, "catalog"};
    transport::MemoryTransport transport;
    runtime::BlockingPool pool{{0, 1}};
    NodeSettings everything;
    everything.development = development;
    for (const auto* role : roles) everything.roles.insert(role->role);
    NodeWorld world;
    world.loops = {&loop};
    world.transport = &transport;
    world.pool = &pool;
    world.threads = false;
    try {
        const Node node{everything, tree, std::move(world), roles, modules};
    } catch (const Error& error) {
        return error;
    }
    return {};
}

}  // namespace gs::app
