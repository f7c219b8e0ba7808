// The load generator: one thread, any number of connections; prints one line of JSON.
// It reads the servers' CPU clocks itself, at the very moments at which it counts replies.
#include "gs_conversation.hpp"
#include "meters.hpp"
#include "options.hpp"
#include "secure_conversation.hpp"
#include "traffic.hpp"

#include <cstdio>
#include <fstream>

namespace gs::bench {
namespace {

std::vector<std::string> read_lines(const std::string& path, std::size_t count) {
    std::ifstream file{path};
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    if (lines.size() < count) {
        fail("--tokens " + path + ": " + std::to_string(lines.size()) + " tokens for " + std::to_string(count) +
             " connections");
    }
    return lines;
}

void check_usage(const Options& options) {
    const auto mode = options.text("mode", "");
    const bool broadcast = options.has("broadcast"), logins = options.has("logins"), paced = options.has("active");
    const auto request = options.text("request", "echo");
    const auto connections = options.whole("connections", 1);
    if ((mode != "raw" && mode != "framed" && mode != "gs") || !options.has("port") || connections == 0 ||
        options.whole("outstanding", 1) == 0 || (mode == "framed" && (broadcast || logins)) ||
        (request != "echo" && request != "save") || (options.has("secure") && mode != "gs") ||
        broadcast + logins + paced > 1 ||
        (paced && (options.whole("active", 0) == 0 || options.whole("active", 0) > connections ||
                   options.number("rate", 1) <= 0))) {
        refuse_usage("what is asked for is incomplete or does not go together");
    }
}

Traffic::Speaker speaker_of(const Options& options) {
    const auto mode = options.text("mode", "");
    const auto receivers = options.whole("connections", 1);
    const bool broadcast = options.has("broadcast"), logins = options.has("logins"), secure = options.has("secure");
    const bool saves = options.text("request", "echo") == "save";
    const auto tokens = mode == "gs" ? read_lines(options.text("tokens", ""), receivers + (broadcast ? 1 : 0))
                                     : std::vector<std::string>{};
    return [=](std::uint32_t i) -> std::unique_ptr<Conversation> {
        const bool sender = broadcast && i == receivers;
        if (mode == "gs") {
            auto kind = saves ? GsRequest::save : GsRequest::echo;
            if (broadcast) {
                kind = sender ? GsRequest::broadcast : GsRequest::receive;
            }
            auto plain = std::make_unique<GsConversation>(i, tokens[i], kind);
            if (secure) {
                return std::make_unique<SecureConversation>(std::move(plain));
            }
            return plain;
        }
        if (mode == "framed") {
            return std::make_unique<FramedConversation>(i);
        }
        if (logins) {
            return std::make_unique<RawLogin>();
        }
        if (sender) {
            return std::make_unique<RawControl>();
        }
        if (broadcast) {
            return std::make_unique<RawReceiver>();
        }
        return std::make_unique<RawConversation>();
    };
}

TrafficShape shape_of(const Options& options) {
    const auto port = options.whole("port", 0);
    return {.port = port,
            .sender_port = options.whole("sender-port", port),
            .connections = options.whole("connections", 1) + (options.has("broadcast") ? 1 : 0),
            .outstanding = options.whole("outstanding", options.has("active") ? 16 : 1),
            .broadcast = options.has("broadcast"),
            .logins = options.has("logins"),
            .active = options.whole("active", 0),
            .rate = options.number("rate", 1)};
}

void measure(const Options& options, Traffic& traffic) {
    const CpuClocks cpu{options.text("pids", "")};
    const bool hold = options.has("hold");
    traffic.issue();
    traffic.turns_until(Clock::now() + options.seconds("warm-up", 0.3));
    if (hold) {
        traffic.drain();
        traffic.hold();
    }
    const auto report_before = traffic.control_report();
    traffic.round_trips().clear();
    const auto replies_before = traffic.replies();
    const auto cpu_before = cpu.now();
    const auto started = Clock::now();
    if (!traffic.issuing()) {
        traffic.issue();
    }
    traffic.turns_until(started + options.seconds("seconds", 1));
    if (hold) {
        traffic.drain();  // what is counted outside is then exactly this number of replies
    }
    const auto cpu_spent = cpu.now() - cpu_before;
    const auto elapsed = std::chrono::duration<double>(Clock::now() - started).count();
    const auto replies = traffic.replies() - replies_before;
    traffic.drain();
    const auto report_after = traffic.control_report();
    std::printf(
        "{\"%s\": %llu, \"seconds\": %.6f, \"server_cpu_seconds\": %.9f, \"rtt_p50_us\": %zu, \"rtt_p99_us\": %zu",
        options.has("broadcast") ? "deliveries" : "replies", static_cast<unsigned long long>(replies), elapsed,
        static_cast<double>(cpu_spent) / 1e9, traffic.round_trips().quantile(0.5),
        traffic.round_trips().quantile(0.99));
    if (!report_after.empty()) {
        std::printf(", \"report_before\": %s, \"report_after\": %s", report_before.c_str(), report_after.c_str());
    }
    std::printf("}\n");
}

}  // namespace
}  // namespace gs::bench

int main(int count, char** arguments) {
    using namespace gs::bench;
    const Options options{count, arguments};
    check_usage(options);
    if (sodium_init() < 0) {
        fail("libsodium does not start");
    }
    Traffic traffic{shape_of(options), speaker_of(options)};
    traffic.open_all();
    if (options.has("idle")) {
        traffic.hold();
    } else {
        measure(options, traffic);
    }
    return 0;
}
