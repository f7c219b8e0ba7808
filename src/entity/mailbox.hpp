#pragma once
// One message at a time: work for an entity runs at once when the entity is idle, else in its turn. Whoever was started
// calls done() when its turn is over. Loop: the entity's.
#include <deque>
#include <memory>

#include "runtime/job.hpp"
#include "runtime/task.hpp"

namespace gs::entity {

class Mailbox {
public:
    static constexpr std::size_t waiting_max = 64;  ///< messages of clients; then they are answered `busy`

    [[nodiscard]] bool busy() const { return busy_ || starting_; }
    [[nodiscard]] bool full() const { return waiting_.size() >= waiting_max; }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

    /// Takes the turn when nobody has it or waits for it. Ends with done().
    [[nodiscard]] bool try_begin() {
        if (busy_ || !waiting_.empty()) return false;
        return busy_ = true;
    }
    /// For when try_begin said no: runs with the turn taken, later.
    void wait(runtime::Job job) { waiting_.push_back(std::move(job)); }
    /// Ends the turn; the next one starts inside this call, or inside the call that started this one: the stack does
    /// not grow with those who wait.
    void done() {
        busy_ = false;
        if (starting_ || waiting_.empty()) return;
        starting_ = true;
        while (!busy_ && !waiting_.empty()) {
            auto job = std::move(waiting_.front());
            waiting_.pop_front();
            busy_ = true;
            job();
        }
        starting_ = false;
    }

    /// `co_await mailbox.turn();` waits for the turn; end it with done().
    class Turn {
    public:
        explicit Turn(Mailbox& mailbox) : mailbox_{mailbox} {}
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        /// A coroutine that is destroyed while it waits gives its turn to the next one.
        ~Turn() {
            if (waiter_ != nullptr) waiter_->forget();
        }
        [[nodiscard]] bool await_ready() const { return mailbox_.try_begin(); }
        void await_suspend(std::coroutine_handle<> handle) {
            waiter_ = std::make_shared<runtime::Waiter>();
            waiter_->suspend(handle);
            mailbox_.wait(
                [waiter = waiter_, &mailbox = mailbox_] { waiter->waits() ? waiter->resume() : mailbox.done(); });
        }
        void await_resume() const {}

    private:
        Mailbox& mailbox_;
        std::shared_ptr<runtime::Waiter> waiter_;  // shared with the job, which may outlive the coroutine
    };
    [[nodiscard]] Turn turn() { return Turn{*this}; }

private:
    bool busy_ = false, starting_ = false;
    std::deque<runtime::Job> waiting_;
};

}  // namespace gs::entity
