#pragma once
// What is written to standard error, as the log does before log::start.
#include <unistd.h>

#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace gs::scenarios {

/// Standard error is a file for as long as this lives.
class Captured {
public:
    Captured() : saved_{dup(STDERR_FILENO)}, file_{std::tmpfile()} { dup2(fileno(file_), STDERR_FILENO); }
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;
    ~Captured() {
        dup2(saved_, STDERR_FILENO);
        close(saved_);
        std::fclose(file_);
    }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::string all(static_cast<std::size_t>(lseek(fileno(file_), 0, SEEK_END)), '\0');
        const auto size = pread(fileno(file_), all.data(), all.size(), 0);
        REQUIRE(size == static_cast<ssize_t>(all.size()));
        std::vector<std::string> result;
        std::istringstream in{all};
        for (std::string line; std::getline(in, line);) result.push_back(line);
        return result;
    }

private:
    int saved_;
    std::FILE* file_;
};

}  // namespace gs::scenarios
