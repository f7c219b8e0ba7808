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

int open_epoll() {
    const int file = ::epoll_create1(EPOLL_CLOEXEC);
    if (file < 0) throw Error{Code::internal, "cannot wait for sockets: {}", std::strerror(errno)};
    return file;
}
}  // namespace

Poller::Poller() : epoll_{open_epoll()}, receive_buffer_(receive_bytes) {}

Poller::~Poller() { ::close(epoll_); }

void Poller::control(int operation, int file, bool reading, bool writing) {
    epoll_event event{};
    event.events = (reading ? EPOLLIN : 0U) | (writing ? EPOLLOUT : 0U);
    event.data.ptr = by_file_[static_cast<std::size_t>(file)].get();
    if (::epoll_ctl(epoll_, operation, file, &event) != 0) {
        throw Error{Code::internal, "cannot wait for a socket: {}", std::strerror(errno)};
    }
}

void Poller::add(int file, std::shared_ptr<Pollable> pollable, bool reading, bool writing) {
    if (by_file_.size() <= static_cast<std::size_t>(file)) by_file_.resize(static_cast<std::size_t>(file) + 1);
    by_file_[static_cast<std::size_t>(file)] = std::move(pollable);
    control(EPOLL_CTL_ADD, file, reading, writing);
}

void Poller::change(int file, bool reading, bool writing) { control(EPOLL_CTL_MOD, file, reading, writing); }

std::shared_ptr<Pollable> Poller::remove(int file) {
    if (static_cast<std::size_t>(file) >= by_file_.size()) return nullptr;  // cleared
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, file, nullptr);
    auto pollable = std::move(by_file_[static_cast<std::size_t>(file)]);
    std::replace(batch_.begin(), batch_.end(), pollable.get(), static_cast<Pollable*>(nullptr));
    return pollable;
}

void Poller::clear() { std::exchange(by_file_, {}); }

void Poller::wait(int milliseconds) {
    std::array<epoll_event, batch_max> events;
    const int count = ::epoll_wait(epoll_, events.data(), batch_max, milliseconds);
    batch_.clear();
    for (int index = 0; index < count; ++index) batch_.push_back(static_cast<Pollable*>(events[index].data.ptr));
    for (int index = 0; index < count; ++index) {
        auto* pollable = batch_[static_cast<std::size_t>(index)];
        if (pollable == nullptr) continue;
        const auto ready = events[index].events;
        pollable->on_ready((ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0, (ready & EPOLLOUT) != 0);
    }
    batch_.clear();
}

}  // namespace gs::runtime
