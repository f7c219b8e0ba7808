#pragma once
// A node with every role on a real loop and real sockets, on free ports of the loopback, for tests of what virtual time
// cannot show. Owner: the test. Loop: its own thread; ask from the test's.
#include <atomic>
#include <future>
#include <map>
#include <string>
#include <thread>

#include "app/node.hpp"
#include "runtime/epoll_loop.hpp"
#include "tests/scenarios/cluster.hpp"
#include "transport/tcp/tcp_transport.hpp"

namespace gs::scenarios {

class RealNode {
public:
    /// Runs once it is ready.
    explicit RealNode(const std::map<std::string, SettingScalar>& settings = {},
                      const std::map<std::string, SettingList>& lists = {});
    ~RealNode();
    RealNode(const RealNode&) = delete;
    RealNode& operator=(const RealNode&) = delete;

    [[nodiscard]] std::string login_url(const std::string& path) const { return login_ + path; }
    [[nodiscard]] const std::string& gateway() const { return gateway_; }
    /// How much of its memory is said to be used, percent; the node sees it within a second. Loop: any.
    void set_memory(std::uint32_t percent) { memory_ = percent; }
    [[nodiscard]] double metric(const std::string& series) { return read_metric(node_->metrics(), series); }

private:
    void wait_ready();

    SettingsTree tree_;
    runtime::EpollLoop loop_{"test", 1};
    runtime::BlockingPool pool_{{2, 64}};
    std::unique_ptr<transport::Transport> transport_ = transport::make_tcp_transport();
    std::unique_ptr<app::Node> node_;
    std::promise<void> ready_;
    std::optional<Error> failure_;
    std::string login_, gateway_;
    log::Level log_level_before_;
    std::atomic<std::uint32_t> memory_{0};
    std::thread thread_;
};

}  // namespace gs::scenarios
