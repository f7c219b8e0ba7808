// The command line of the load generator, and how it ends when something is wrong.
#pragma once

#include <chrono>
#include <map>
#include <string>

namespace gs::bench {

[[noreturn]] void fail(const std::string& what);
[[noreturn]] void refuse_usage(const std::string& why);

class Options {
public:
    Options(int count, char** arguments);

    bool has(const std::string& name) const { return values_.count(name) != 0; }
    std::string text(const std::string& name, const std::string& otherwise) const;
    unsigned whole(const std::string& name, unsigned otherwise) const;
    std::chrono::nanoseconds seconds(const std::string& name, double otherwise) const;
    double number(const std::string& name, double otherwise) const;

private:
    std::map<std::string, std::string> values_;
};

}  // namespace gs::bench
