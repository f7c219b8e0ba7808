#pragma once
// The error that crosses role, module and client boundaries: a wire-stable code and a sentence for a person.
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace gs {

/// Numbers are part of the client protocol: append, never renumber.
enum class Code : std::uint8_t {
    ok = 0,
    invalid = 1,          ///< the request itself is wrong; repeating it will not help
    unauthenticated = 2,  ///< no token, or one that is expired or forged
    forbidden = 3,        ///< known caller, not allowed
    not_found = 4,
    conflict = 5,     ///< the name is taken, or the value changed meanwhile
    limited = 6,      ///< a rate limit of the caller
    busy = 7,         ///< a bound of the server; try later
    unavailable = 8,  ///< the role that answers is not reachable; nothing was done
    deadline = 9,     ///< no answer in time; whether it was done is unknown
    internal = 10,    ///< a fault of the server; the log has more
    fenced = 11,      ///< a newer owner or connection exists; this one may not act any more
    unknown_command = 12,
    outdated = 13,  ///< the client's version is too old for this server; a newer one must be installed
};

[[nodiscard]] std::string_view to_string(Code code);

/// Thrown by handlers and held by Result; the dispatcher turns it into an error reply.
class Error final : public std::exception {
public:
    template <class... Args>
    Error(Code code, fmt::format_string<Args...> text, Args&&... args)
        : Error{code, FromText{}, fmt::format(text, std::forward<Args>(args)...)} {}

    /// The text as it is, for messages that were not written as a format (from the wire, from a library).
    [[nodiscard]] static Error verbatim(Code code, std::string text) { return {code, FromText{}, std::move(text)}; }

    [[nodiscard]] Code code() const { return code_; }
    [[nodiscard]] const std::string& message() const { return message_; }
    [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

private:
    struct FromText {};
    Error(Code code, FromText /*tag*/, std::string text) : code_{code}, message_{std::move(text)} {}

    Code code_;
    std::string message_;
};

}  // namespace gs
