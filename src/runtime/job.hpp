#pragma once
// A function object that is called once and may hold things that cannot be copied (std::function cannot). Small ones
// live inside it, so that posting to a loop does not allocate.
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace gs::runtime {

class Job {
public:
    Job() = default;

    template <class Function>
    requires(!std::is_same_v<std::decay_t<Function>, Job>) Job(Function&& function) {
        using Stored = std::decay_t<Function>;
        if constexpr (sizeof(Stored) <= inline_bytes && alignof(Stored) <= alignof(std::max_align_t) &&
                      std::is_nothrow_move_constructible_v<Stored>) {
            new (storage_) Stored(std::forward<Function>(function));
            operations_ = &inline_operations<Stored>;
        } else {
            new (storage_) Stored*(new Stored(std::forward<Function>(function)));
            operations_ = &heap_operations<Stored>;
        }
    }
    Job(Job&& other) noexcept : operations_{std::exchange(other.operations_, nullptr)} {
        if (operations_ != nullptr) operations_->move(storage_, other.storage_);
    }
    Job& operator=(Job&& other) noexcept {
        if (this == &other) return *this;
        reset();
        operations_ = std::exchange(other.operations_, nullptr);
        if (operations_ != nullptr) operations_->move(storage_, other.storage_);
        return *this;
    }
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    ~Job() { reset(); }

    explicit operator bool() const { return operations_ != nullptr; }
    void operator()() { operations_->call(storage_); }

private:
    struct Operations {
        void (*call)(void*);
        void (*move)(void* to, void* from) noexcept;
        void (*destroy)(void*) noexcept;
    };
    static constexpr std::size_t inline_bytes = 48;

    template <class Stored>
    static constexpr Operations inline_operations{[](void* at) { (*static_cast<Stored*>(at))(); },
                                                  [](void* to, void* from) noexcept {
                                                      new (to) Stored(std::move(*static_cast<Stored*>(from)));
                                                      static_cast<Stored*>(from)->~Stored();
                                                  },
                                                  [](void* at) noexcept { static_cast<Stored*>(at)->~Stored(); }};
    template <class Stored>
    static constexpr Operations heap_operations{
        [](void* at) { (**static_cast<Stored**>(at))(); },
        [](void* to, void* from) noexcept { new (to) Stored*(*static_cast<Stored**>(from)); },
        [](void* at) noexcept { delete *static_cast<Stored**>(at); }};

    void reset() {
        if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(storage_);
    }

    alignas(std::max_align_t) std::byte storage_[inline_bytes];
    const Operations* operations_ = nullptr;
};

}  // namespace gs::runtime
