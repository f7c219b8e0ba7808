#pragma once
// What clients can say to the modules of this executable, and hear from them: for generators of other languages, as JSON
// or as TypeScript for src/client/js. Modules are built once in an empty world. The order is stable: modules by name,
// messages by number. Errors: conflict (two structures of one module have the same name), or what a constructor throws.
#include <span>
#include <string>

#include "api/module.hpp"

namespace gs::app {

[[nodiscard]] Result<std::string> schema_json(std::span<const ModuleInfo* const> modules);
[[nodiscard]] Result<std::string> schema_typescript(std::span<const ModuleInfo* const> modules);

}  // namespace gs::app
