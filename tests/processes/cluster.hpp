#pragma once
// `gameserver up` with a file of etc/ on free ports: several processes, and how they die.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/processes/server.hpp"

namespace gs::test {

/// All nodes are ready when it is constructed.
class Cluster {
public:
    Cluster(const ScratchDirectory& directory, const std::string& config, const std::vector<std::string>& more = {});

    Process& up() { return *up_; }
    [[nodiscard]] std::string login_url() const { return "http://" + login_; }
    [[nodiscard]] const std::string& database() const { return database_; }

    void wait_ready(const std::string& node) const;
    /// kill -9; returns when `up` has started the node again and all nodes are ready.
    void kill_node(const std::string& node);
    [[nodiscard]] pid_t pid_of(const std::string& node) const;
    /// Of the node's metrics page.
    [[nodiscard]] double metric(const std::string& node, const std::string& series) const;

    static std::string line_of(const std::string& node, const std::string& text);

private:
    void write_config(const std::string& config, const std::string& file);

    std::string database_, login_;
    std::map<std::string, std::string> admin_;
    std::unique_ptr<Process> up_;
};

}  // namespace gs::test
