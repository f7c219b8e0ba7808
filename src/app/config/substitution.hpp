#pragma once
// ${NAME} and ${NAME:-default} inside text.
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gs::app {

/// Errors: Code::invalid with the rest of a sentence, "uses ${NAME}, which ...", for the caller to put the key before.
[[nodiscard]] Result<std::string> substitute(std::string_view text,
                                             const std::map<std::string, std::string>& variables);

}  // namespace gs::app
