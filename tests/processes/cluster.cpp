#include "tests/processes/cluster.hpp"

#include <signal.h>

#include <fstream>
#include <regex>
#include <sstream>

#include <fmt/format.h>
#include <catch2/catch.hpp>

namespace gs::test {

Cluster::Cluster(const ScratchDirectory& directory, const std::string& config, const std::vector<std::string>& more)
    : database_{directory.file("data/game.db")} {
    const auto file = directory.file("cluster.toml");
    write_config(config, file);
    std::vector<std::string> words{GS_BINARY, "up", file, "--data-dir", directory.file("data")};
    words.insert(words.end(), more.begin(), more.end());
    up_ = std::make_unique<Process>(words);
    for (const auto& [node, address] : admin_) wait_ready(node);
}

void Cluster::wait_ready(const std::string& node) const {
    wait_until(node + " is ready", [&] { return http_get("http://" + admin_.at(node) + "/readyz").status == 200; });
}

void Cluster::kill_node(const std::string& node) {
    const auto before = up_->line_count();
    ::kill(pid_of(node), SIGKILL);
    up_->wait_line(line_of(node, "was killed by signal 9; starting it again in"), before);
    up_->wait_line(line_of(node, "started, pid "), before);
    for (const auto& [each, address] : admin_) wait_ready(each);
}

std::string Cluster::line_of(const std::string& node, const std::string& text) {
    return fmt::format("{:<9} | {}", node, text);
}

double Cluster::metric(const std::string& node, const std::string& series) const {
    std::istringstream page{http_get("http://" + admin_.at(node) + "/metrics").body};
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
    }
    return 0;
}

void Cluster::write_config(const std::string& config, const std::string& file) {
    std::ifstream original{GS_SOURCE_DIR "/etc/" + config};
    std::stringstream all;
    all << original.rdbuf();
    std::string node, written;
    const std::regex name{R"re(^name = "(.*)")re"}, address{R"(^(\w+) = "127\.0\.0\.1:\d+")"};
    for (std::string line; std::getline(all, line); written += line + "\n") {
        std::smatch found;
        if (std::regex_search(line, found, name)) node = found[1];
        if (!std::regex_search(line, found, address)) continue;
        const auto here = fmt::format("127.0.0.1:{}", free_port());
        if (found[1] == "admin") admin_[node] = here;
        if (found[1] == "http") login_ = here;
        line = fmt::format("{} = \"{}\"", found[1].str(), here);
    }
    REQUIRE(admin_.size() >= 5);
    std::ofstream{file} << written;
}

pid_t Cluster::pid_of(const std::string& node) const {
    const auto start = line_of(node, "started, pid ");
    pid_t pid = -1;
    for (const auto& line : up_->lines()) {
        if (line.starts_with(start)) pid = std::stoi(line.substr(start.size()));
    }
    REQUIRE(pid > 0);
    return pid;
}

}  // namespace gs::test
