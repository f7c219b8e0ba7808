#include "options.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace gs::bench {
namespace {

constexpr const char* usage =
    "usage: load --mode raw|framed|gs --port PORT [options]\n"
    "  --connections N     connections (1)\n"
    "  --outstanding N     requests under way on each; with --broadcast, rounds under way (1)\n"
    "  --seconds S         measured time (1)\n"
    "  --warm-up S         time before it (0.3)\n"
    "  --pids A,B          server processes whose CPU time is reported\n"
    "  --hold              when warm, print READY, wait for a line on standard input, then measure\n"
    "  --idle              connect, print READY, keep silent until standard input ends\n"
    "  --broadcast         the connections receive, one more sends\n"
    "  --sender-port PORT  where the sender connects (raw: the control port)\n"
    "  --tokens FILE       gs: one login token to a line, one for each connection\n"
    "  --secure            gs: encrypted\n"
    "  --logins            each connection is made anew as soon as it is ready; those are the replies\n"
    "  --active N          only the first N connections ask, each --rate times a second, whether or not answers come\n"
    "  --rate R            requests per second of each active connection (1)\n"
    "  --request KIND      gs: echo or save (echo)\n";

}  // namespace

void fail(const std::string& what) {
    std::fprintf(stderr, "load: %s\n", what.c_str());
    std::exit(1);
}

void refuse_usage(const std::string& why) {
    std::fprintf(stderr, "load: %s\n%s", why.c_str(), usage);
    std::exit(2);
}

Options::Options(int count, char** arguments) {
    const std::vector<std::string> flags{"hold", "idle", "broadcast", "secure", "logins"};
    const std::vector<std::string> keys{"mode", "port",        "connections", "outstanding", "seconds", "warm-up",
                                        "pids", "sender-port", "tokens",      "request",     "active",  "rate"};
    for (int i = 1; i < count; ++i) {
        const std::string argument = arguments[i];
        const auto name = argument.rfind("--", 0) == 0 ? argument.substr(2) : argument;
        const bool flag = std::find(flags.begin(), flags.end(), name) != flags.end();
        const bool key = std::find(keys.begin(), keys.end(), name) != keys.end() && i + 1 < count;
        if (!flag && !key) {
            refuse_usage("'" + argument + "' is unknown or lacks its value");
        }
        values_[name] = flag ? "yes" : arguments[++i];
    }
}

std::string Options::text(const std::string& name, const std::string& otherwise) const {
    return has(name) ? values_.at(name) : otherwise;
}

unsigned Options::whole(const std::string& name, unsigned otherwise) const {
    return static_cast<unsigned>(number(name, otherwise));
}

std::chrono::nanoseconds Options::seconds(const std::string& name, double otherwise) const {
    return std::chrono::nanoseconds{static_cast<std::int64_t>(number(name, otherwise) * 1e9)};
}

double Options::number(const std::string& name, double otherwise) const {
    if (!has(name)) {
        return otherwise;
    }
    char* end = nullptr;
    const double value = std::strtod(values_.at(name).c_str(), &end);
    if (*end != '\0' || value < 0) {
        fail("--" + name + ": '" + values_.at(name) + "' is not a number");
    }
    return value;
}

}  // namespace gs::bench
