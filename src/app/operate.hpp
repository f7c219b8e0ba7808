#pragma once
// `gameserver admin ...`: what operators tell a running cluster, through the admin endpoint of any of its nodes.
#include <chrono>
#include <string>

#include "app/run.hpp"

namespace gs::app {

struct AdminOptions {
    std::string node;  ///< which one it is about
    std::string at;    ///< host:port of an admin endpoint; empty: that of the node in the cluster file
    std::chrono::seconds patience{60};
};

/// Asks an admin endpoint of the cluster: that of `options`, else the first one that the cluster file names, else the
/// one of a development server. Errors: what it answers, or that it does not.
[[nodiscard]] Result<std::string> ask_cluster(const RunOptions& config, const AdminOptions& options,
                                              const std::string& method, const std::string& path,
                                              const std::string& body);
/// Prints it; returns the exit code.
int complain(const Error& error);

/// Has the players of the node's game role moved to other games, tells how far it is, and waits for the end; with
/// `on` false it takes players again. Returns the exit code: 1 when not all have moved in time.
[[nodiscard]] int drain_node(const RunOptions& config, const AdminOptions& options, bool on);

}  // namespace gs::app
