#pragma once
// Task<T>: a coroutine of role and module code. It starts when it is awaited (or spawned), runs on its loop, and ends
// with a value or an exception. Write one co_await per statement with plain arguments (see docs/decisions.md).
// Owner: the Task owns its frame; Tasks owns spawned ones and destroys what still waits.
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace gs::runtime {

/// What the running code works for (the entity's turn); follows a coroutine over its suspensions.
inline void*& current_context() {
    static constinit thread_local void* context = nullptr;
    return context;
}

class ContextScope {
public:
    explicit ContextScope(void* context) : before_{std::exchange(current_context(), context)} {}
    ContextScope(const ContextScope&) = delete;
    ContextScope& operator=(const ContextScope&) = delete;
    ~ContextScope() { current_context() = before_; }

private:
    void* before_;
};

/// A suspended coroutine together with the context to restore. Every awaitable that ends a wait goes through it.
class Waiter {
public:
    void suspend(std::coroutine_handle<> handle) {
        handle_ = handle;
        context_ = current_context();
    }
    [[nodiscard]] bool waits() const { return handle_ != nullptr; }
    void forget() { handle_ = nullptr; }
    void resume() {
        const ContextScope scope{context_};
        std::exchange(handle_, nullptr).resume();
    }

private:
    std::coroutine_handle<> handle_;
    void* context_ = nullptr;
};

template <class T>
class Task;

namespace detail {

struct TaskPromiseBase {
    struct FinalAwaiter {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) noexcept {
            const auto next = ended.promise().continuation;
            return next ? next : std::noop_coroutine();
        }
        void await_resume() const noexcept {}
    };
    std::suspend_always initial_suspend() noexcept { return {}; }
    FinalAwaiter final_suspend() noexcept { return {}; }
    void unhandled_exception() { exception = std::current_exception(); }

    std::coroutine_handle<> continuation;
    std::exception_ptr exception;
};

template <class T>
struct TaskPromise : TaskPromiseBase {
    Task<T> get_return_object();
    template <class Value>
    void return_value(Value&& given) {
        value.emplace(std::forward<Value>(given));
    }
    T take() {
        if (exception) std::rethrow_exception(exception);
        return std::move(*value);
    }
    std::optional<T> value;
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
    Task<void> get_return_object();
    void return_void() {}
    void take() const {
        if (exception) std::rethrow_exception(exception);
    }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
public:
    using promise_type = detail::TaskPromise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    explicit Task(Handle handle) : handle_{handle} {}
    Task(Task&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
    Task& operator=(Task&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    ~Task() {
        if (handle_) handle_.destroy();
    }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    // The child runs here, not by symmetric transfer: a child that ends at once does not deepen the stack, so a long
    // loop of ready awaits is safe in unoptimised builds too.
    bool await_suspend(std::coroutine_handle<> parent) {
        handle_.resume();
        if (handle_.done()) return false;
        handle_.promise().continuation = parent;
        return true;
    }
    T await_resume() { return handle_.promise().take(); }

private:
    Handle handle_;
};

namespace detail {
template <class T>
Task<T> TaskPromise<T>::get_return_object() {
    return Task<T>{Task<T>::Handle::from_promise(*this)};
}
inline Task<void> TaskPromise<void>::get_return_object() { return Task<void>{Task<void>::Handle::from_promise(*this)}; }
}  // namespace detail

/// Root tasks of one owner. What escapes a task is logged under its name and counted. Destroying the group destroys the
/// tasks that still wait. Loop: the owner's.
class Tasks {
public:
    Tasks() = default;
    Tasks(const Tasks&) = delete;
    Tasks& operator=(const Tasks&) = delete;
    ~Tasks() { cancel(); }

    /// Runs `task` up to its first wait, now. `name` is a literal that outlives it.
    void spawn(Task<void> task, const char* name);
    [[nodiscard]] std::size_t running() const { return running_; }
    void cancel();
    /// How many tasks of this process ended with an exception that nobody took.
    [[nodiscard]] static std::uint64_t escaped();

private:
    struct Root;
    struct Link {
        Link* next = nullptr;
        Link* previous = nullptr;
    };
    static Root run(Tasks& group, Task<void> task, const char* name);

    Link list_{&list_, &list_};
    std::size_t running_ = 0;
};

namespace detail {
template <class T>
struct Slot {
    std::optional<T> value;
    Waiter waiter;
};
}  // namespace detail

template <class T>
class Future;

/// The giving end of one value. Dropping it leaves the future waiting: set it on every path, or add a deadline.
template <class T>
class Promise {
public:
    Promise() : slot_{std::make_shared<detail::Slot<T>>()} {}
    [[nodiscard]] Future<T> future() const { return Future<T>{slot_}; }
    /// The first value counts; the waiting coroutine runs inside this call.
    void set(T value) const {
        if (slot_->value) return;
        const auto keep = slot_;
        keep->value.emplace(std::move(value));
        if (keep->waiter.waits()) keep->waiter.resume();
    }
    [[nodiscard]] bool is_set() const { return slot_->value.has_value(); }

private:
    std::shared_ptr<detail::Slot<T>> slot_;
};

/// The awaiting end: `auto value = co_await future;`. One waiter.
template <class T>
class [[nodiscard]] Future {
public:
    explicit Future(std::shared_ptr<detail::Slot<T>> slot) : slot_{std::move(slot)} {}
    Future(Future&&) noexcept = default;
    Future& operator=(Future&&) noexcept = default;
    Future(const Future&) = delete;
    Future& operator=(const Future&) = delete;
    ~Future() {
        if (slot_) slot_->waiter.forget();
    }
    [[nodiscard]] bool await_ready() const { return slot_->value.has_value(); }
    void await_suspend(std::coroutine_handle<> handle) { slot_->waiter.suspend(handle); }
    T await_resume() { return std::move(*slot_->value); }
    /// The value if it is there already; for code that is not a coroutine.
    [[nodiscard]] const std::optional<T>& peek() const { return slot_->value; }

private:
    std::shared_ptr<detail::Slot<T>> slot_;
};

}  // namespace gs::runtime
