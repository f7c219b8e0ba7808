#include "runtime/poller.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace gs::runtime {

namespace {
constexpr int batch_max = 128;
constexpr int background_batch_max = 16;

[[noreturn]] void cannot_wait() { throw Error{Code::internal, "cannot wait for sockets: {}", std::strerror(errno)}; }

int open_epoll() {
    const int file = ::epoll_create1(EPOLL_CLOEXEC);
    if (file < 0) cannot_wait();
    return file;
}
}  // namespace

Poller::Poller() : epoll_{open_epoll()}, background_epoll_{open_epoll()}, receive_buffer_(receive_bytes) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = this;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, background_epoll_, &event) != 0) cannot_wait();
}

Poller::~Poller() {
    ::close(background_epoll_);
    ::close(epoll_);
}

void Poller::control(int operation, int file, bool reading, bool writing) {
    const auto& watched = by_file_[static_cast<std::size_t>(file)];
    epoll_event event{};
    event.events = (reading ? EPOLLIN : 0U) | (writing ? EPOLLOUT : 0U);
    event.data.ptr = watched.pollable.get();
    if (::epoll_ctl(watched.background ? background_epoll_ : epoll_, operation, file, &event) != 0) cannot_wait();
}

void Poller::add(int file, std::shared_ptr<Pollable> pollable, bool reading, bool writing, bool background) {
    if (by_file_.size() <= static_cast<std::size_t>(file)) by_file_.resize(static_cast<std::size_t>(file) + 1);
    by_file_[static_cast<std::size_t>(file)] = {std::move(pollable), background};
    control(EPOLL_CTL_ADD, file, reading, writing);
}

void Poller::change(int file, bool reading, bool writing) { control(EPOLL_CTL_MOD, file, reading, writing); }

/// What was found ready stays found: it is called where it was found.
void Poller::move(int file, bool background, bool reading, bool writing) {
    auto& watched = by_file_[static_cast<std::size_t>(file)];
    if (watched.background == background) return;
    control(EPOLL_CTL_DEL, file, false, false);
    watched.background = background;
    control(EPOLL_CTL_ADD, file, reading, writing);
}

std::shared_ptr<Pollable> Poller::remove(int file) {
    if (static_cast<std::size_t>(file) >= by_file_.size()) return nullptr;  // cleared
    auto& watched = by_file_[static_cast<std::size_t>(file)];
    ::epoll_ctl(watched.background ? background_epoll_ : epoll_, EPOLL_CTL_DEL, file, nullptr);
    auto pollable = std::move(watched.pollable);
    for (auto* batch : {&batch_, &background_batch_}) {
        for (auto& ready : *batch) {
            if (ready.pollable == pollable.get()) ready.pollable = nullptr;
        }
    }
    return pollable;
}

void Poller::clear() { std::exchange(by_file_, {}); }

bool Poller::find_ready(int epoll, int most, int milliseconds, std::vector<Ready>& found) {
    std::array<epoll_event, batch_max> events;
    const int count = ::epoll_wait(epoll, events.data(), most, milliseconds);
    for (int index = 0; index < count; ++index) {
        const auto& event = events[static_cast<std::size_t>(index)];
        if (event.data.ptr == this) {
            background_ready_ = true;
            continue;
        }
        found.push_back({static_cast<Pollable*>(event.data.ptr), (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0,
                         (event.events & EPOLLOUT) != 0});
    }
    return count == most;
}

void Poller::call(const Ready& ready) {
    if (ready.pollable != nullptr) ready.pollable->on_ready(ready.readable, ready.writable);
}

void Poller::wait(int milliseconds) {
    batch_.clear();
    find_ready(epoll_, batch_max, milliseconds, batch_);
    for (std::size_t index = 0; index < batch_.size(); ++index) call(batch_[index]);
    batch_.clear();
}

/// Who was found first is called first, in a later turn if need be: however many others keep themselves ready, each has
/// its turn.
void Poller::serve_background(std::chrono::nanoseconds time) {
    if (!background_ready_) return;
    const auto until = std::chrono::steady_clock::now() + time;
    do {
        if (background_batch_.empty()) {
            background_ready_ = find_ready(background_epoll_, background_batch_max, 0, background_batch_);
            std::reverse(background_batch_.begin(), background_batch_.end());
        }
        if (background_batch_.empty()) return;
        const auto next = background_batch_.back();
        background_batch_.pop_back();
        call(next);
    } while (std::chrono::steady_clock::now() < until);
    if (!background_batch_.empty()) background_ready_ = true;
}

}  // namespace gs::runtime
