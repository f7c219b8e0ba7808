#pragma once
// Shows how a run goes on standard error while it lasts (a block redrawn in place on a terminal, else plain lines), and
// what came of it afterwards. Owner: the run.
#include <chrono>
#include <string>

namespace gs::bots {

class Run;

class Progress {
public:
    explicit Progress(Run& run);

    [[nodiscard]] std::chrono::milliseconds period() const;
    void show();
    /// Takes the block away.
    void finish();

private:
    void erase();

    Run& run_;
    bool terminal_;
    int lines_shown_ = 0;
    std::uint64_t requests_before_ = 0, pushes_before_ = 0;
    std::chrono::steady_clock::time_point shown_at_ = std::chrono::steady_clock::now();
};

[[nodiscard]] std::string readable_report(const Run& run);
[[nodiscard]] std::string json_report(const Run& run);

}  // namespace gs::bots
