#include "runtime/task.hpp"

#include <atomic>

#include "base/log.hpp"

namespace gs::runtime {

namespace {
std::atomic<std::uint64_t> escaped_tasks{0};
}

struct Tasks::Root {
    struct promise_type : Link {
        promise_type(Tasks& owner, Task<void>& /*task*/, const char* /*name*/) : group{owner} {
            previous = group.list_.previous;
            next = &group.list_;
            previous->next = this;
            group.list_.previous = this;
            ++group.running_;
        }
        ~promise_type() {
            previous->next = next;
            next->previous = previous;
            --group.running_;
        }
        promise_type(const promise_type&) = delete;
        promise_type& operator=(const promise_type&) = delete;
        Root get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() noexcept { std::terminate(); }
        Tasks& group;
    };
    std::coroutine_handle<promise_type> handle;
};

Tasks::Root Tasks::run(Tasks& /*group*/, Task<void> task, const char* name) {
    try {
        co_await std::move(task);
    } catch (const std::exception& error) {
        escaped_tasks.fetch_add(1, std::memory_order_relaxed);
        log::error("task {} ended with an error that nobody handled: {}", name, error.what());
    } catch (...) {
        escaped_tasks.fetch_add(1, std::memory_order_relaxed);
        log::error("task {} ended with an unknown exception", name);
    }
}

void Tasks::spawn(Task<void> task, const char* name) { run(*this, std::move(task), name).handle.resume(); }

void Tasks::cancel() {
    while (list_.next != &list_) {
        auto& promise = static_cast<Root::promise_type&>(*list_.next);
        std::coroutine_handle<Root::promise_type>::from_promise(promise).destroy();
    }
}

std::uint64_t Tasks::escaped() { return escaped_tasks.load(std::memory_order_relaxed); }

}  // namespace gs::runtime
