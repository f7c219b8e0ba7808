#pragma once
// The command line of the executable: subcommands and flags, and nothing else.
#include <string>

namespace gs::app {

/// Returns the exit code. `version` is shown by --version.
[[nodiscard]] int run_command_line(int argument_count, char** arguments, const std::string& version);

}  // namespace gs::app
