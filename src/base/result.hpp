#pragma once
// Result<T>: a value or an Error. `.value()` throws the Error itself, so a handler may simply ask for the value.
#include <tl/expected.hpp>

#include "base/error.hpp"

namespace gs {

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
    using Base = tl::expected<T, Error>;

public:
    using Base::Base;
    Result(Error error) : Base{tl::unexpect, std::move(error)} {}

    auto& value() & {
        require();
        return **this;
    }
    const auto& value() const& {
        require();
        return **this;
    }
    auto value() && {
        require();
        return std::move(**this);
    }

private:
    void require() const {
        if (!this->has_value()) throw this->error();
    }
};

template <>
class [[nodiscard]] Result<void> : public tl::expected<void, Error> {
    using Base = tl::expected<void, Error>;

public:
    using Base::Base;
    Result(Error error) : Base{tl::unexpect, std::move(error)} {}

    void value() const {
        if (!has_value()) throw error();
    }
};

}  // namespace gs
