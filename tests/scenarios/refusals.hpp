#pragma once
// What a gateway that was misused shows: the reason is counted, and nobody else notices.
#include <catch2/catch.hpp>

#include "modules/echo/messages.hpp"
#include "tests/scenarios/cluster.hpp"

namespace gs::scenarios {

/// How often clients were rejected for that reason, by the node of `--roles=all`.
inline double rejected(TestCluster& cluster, const std::string& reason) {
    return cluster.metric("all", "gameserver_client_rejected_total{reason=\"" + reason + "\"}");
}

/// A witness who must not notice anything.
inline void check_served(TestClient& witness) { CHECK(witness.request(echo::Echo{"served"}).value().text == "served"); }

}  // namespace gs::scenarios
