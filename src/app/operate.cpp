#include "app/operate.hpp"

#include <algorithm>
#include <iostream>
#include <thread>

#include <fmt/ranges.h>

#include "api/json.hpp"
#include "app/admin.hpp"
#include "http/client.hpp"

namespace gs::app {

namespace {

constexpr auto ask_again = std::chrono::milliseconds{200};
constexpr std::string_view not_here = "there is nothing at /v1/";  // what any HTTP endpoint of ours answers
constexpr auto tell_every = std::chrono::seconds{1};
constexpr std::chrono::milliseconds answer_least{500}, answer_most{10'000};  // of one request

/// What http::json_error writes.
struct Refusal {
    std::string code, message;
    FIELDS(code, message)
};
struct RefusalAnswer {
    Refusal error;
    FIELDS(error)
};

Result<std::string> endpoint(const RunOptions& config, const AdminOptions& options) {
    if (!options.at.empty()) return options.at;
    if (!config.sources.file) {
        return Error{Code::invalid,
                     "say where to reach the cluster: --config FILE (its cluster file), or --at HOST:PORT (the admin "
                     "endpoint of any node)"};
    }
    auto named = config;
    named.overrides.node = options.node;
    auto tree = load_config(config.sources);
    if (tree) {
        const auto names =
            tree->root().tables("node", "", [](const Settings& row) { return row.text("name", "", ""); });
        const bool is_one_process = names.empty() && options.node.empty();
        if (!is_one_process && std::find(names.begin(), names.end(), options.node) == names.end()) {
            return Error{
                Code::invalid, "there is no node \"{}\" in {}; {}", options.node, config.sources.file->string(),
                names.empty() ? "it describes no cluster" : fmt::format("there are: {}", fmt::join(names, ", "))};
        }
    }
    const auto checked = load_checked(named);
    if (!checked) {
        return Error{Code::invalid, "node {} in {}: {}", options.node, config.sources.file->string(),
                     checked.error().message()};
    }
    if (checked->node.admin_address.empty()) {
        return Error{Code::invalid, "node {} has no admin address in {}; use --at HOST:PORT of another node",
                     options.node, config.sources.file->string()};
    }
    return checked->node.admin_address;
}

Error no_admin_endpoint(const std::string& address) {
    return {Code::unavailable,
            "{} answers, but is not the admin endpoint of a node; give the address that its node has as `admin` in the "
            "cluster file, or as admin.address",
            address};
}

Result<std::string> fetch(http::HttpClient& client, const std::string& address, const std::string& method,
                          const std::string& path, const std::string& body, std::chrono::milliseconds patience) {
    http::HttpFetch fetch;
    fetch.timeout = std::clamp(patience, answer_least, answer_most);
    fetch.method = method;
    fetch.url = fmt::format("http://{}{}", address, path);
    if (!body.empty()) fetch.headers = {{"Content-Type", "application/json"}};
    fetch.body = body;
    const auto response = client.fetch(fetch);
    if (!response) {
        return Error{Code::unavailable, "no admin endpoint answers at {}: {}", address, response.error().message()};
    }
    if (response->status == 200) return response->body;
    if (response->body.find(not_here) != std::string::npos) return no_admin_endpoint(address);
    const auto told = from_json<RefusalAnswer>(response->body);
    if (told) return Error::verbatim(Code::unavailable, std::string{told->error.message});
    return Error{Code::unavailable, "{} answered {}: {}", address, response->status, response->body};
}

Result<session::Draining> ask(http::HttpClient& client, const std::string& address, const DrainRequest& request,
                              std::chrono::milliseconds patience) {
    const auto answer = fetch(client, address, "POST", "/v1/drain", to_json(request), patience);
    if (!answer) return answer.error();
    auto state = from_json<session::Draining>(*answer);
    if (!state) return no_admin_endpoint(address);
    return state;
}

std::string players(std::uint64_t count) { return fmt::format("{} player{}", count, count == 1 ? "" : "s"); }

}  // namespace

int complain(const Error& error) {
    std::cerr << fmt::format("gameserver: {}\n", error.message());
    return error.code() == Code::invalid ? exit_wrong_use : exit_failed;
}

Result<std::string> ask_cluster(const RunOptions& config, const AdminOptions& options, const std::string& method,
                                const std::string& path, const std::string& body) {
    Result<std::string> address = std::string{"127.0.0.1:7090"};
    if (!options.at.empty() || config.sources.file) {
        auto chosen = options;
        if (chosen.at.empty() && chosen.node.empty()) chosen.node = nodes_to_check(config).front();
        address = endpoint(config, chosen);
    }
    if (!address) return address.error();
    http::HttpClient client;
    return fetch(client, *address, method, path, body, answer_most);
}

int drain_node(const RunOptions& config, const AdminOptions& options, bool on) {
    using Clock = std::chrono::steady_clock;
    const auto address = endpoint(config, options);
    if (!address) return complain(address.error());
    http::HttpClient client;
    DrainRequest request{options.node, on, true};
    const auto began = Clock::now();
    const auto left = [&] {
        return std::chrono::duration_cast<std::chrono::milliseconds>(options.patience - (Clock::now() - began));
    };
    const auto before = ask(client, *address, request, left());
    if (!before) return complain(before.error());
    request.only_ask = false;
    auto told = began;
    auto state = ask(client, *address, request, left());
    if (!state) return complain(state.error());
    if (!on) {
        std::cout << fmt::format("{} takes players ({} there)\n", options.node, players(state->players));
        return exit_stopped;
    }
    std::cout << fmt::format("{} had {}\n", options.node, players(before->players)) << std::flush;
    request.only_ask = true;
    while (state->players > 0) {
        const auto now = Clock::now();
        if (now - began > options.patience) {
            return complain({Code::deadline,
                             "{} are still on {} after {} s; it goes on with them, and says why in its log",
                             players(state->players), options.node, options.patience.count()});
        }
        if (now - told >= tell_every) {
            told = now;
            std::cout << fmt::format("{} to go\n", players(state->players)) << std::flush;
        }
        std::this_thread::sleep_for(ask_again);
        state = ask(client, *address, request, left());
        if (!state) return complain(state.error());
        if (!state->on) {
            return complain(
                {Code::unavailable, "{} was started anew or told to take players again meanwhile", options.node});
        }
    }
    const auto took = std::chrono::duration<double>{Clock::now() - began}.count();
    std::cout << fmt::format(
        "{} is empty: {} handed over in {:.1f} s. It takes no players until it is started anew, or until\n"
        "  gameserver admin undrain {}\n",
        options.node, players(state->handed_over - before->handed_over), took, options.node);
    return exit_stopped;
}

}  // namespace gs::app
