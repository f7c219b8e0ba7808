#include "modules/echo/messages.hpp"

#include <catch2/catch.hpp>

#include "tests/scenarios/cluster.hpp"

namespace echo {

using gs::scenarios::player;
using gs::scenarios::TestClient;
using gs::scenarios::TestCluster;

TEST_CASE("echo answers each request with its text", "[echo]") {
    TestCluster cluster;
    cluster.start();
    TestClient anna{cluster};
    anna.enter(player(1)).value();
    std::vector<std::uint64_t> ids;
    for (int index = 0; index < 50; ++index) ids.push_back(anna.send(Echo{fmt::format("text {}", index)}));
    for (int index = 0; index < 50; ++index) {
        CHECK(anna.answer<Echo>(ids[static_cast<std::size_t>(index)]).value().text == fmt::format("text {}", index));
    }
}

}  // namespace echo
