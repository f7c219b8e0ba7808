#pragma once
// What this executable can do: builds every role and module once in an empty world, so that all settings are declared
// and a command number that two modules claim is found, whatever roles the node will run.
#include "api/registry.hpp"
#include "base/settings.hpp"

namespace gs::app {

/// Reads every setting of roles and modules in `tree`, which then knows which keys exist. Errors: conflict (a command
/// number or name that is claimed twice, naming both).
[[nodiscard]] Result<void> declare_all(SettingsTree& tree, bool development, std::span<const RoleInfo* const> roles,
                                       std::span<const ModuleInfo* const> modules);

}  // namespace gs::app
