// The page at /play, as a browser loads it; what it does there is in tests/processes/javascript_test.cpp.
#include <catch2/catch.hpp>

#include "api/registry.hpp"
#include "app/catalog.hpp"
#include "http/client.hpp"
#include "tests/scenarios/real_node.hpp"

namespace gs::scenarios {

TEST_CASE("the page and its files are served with a policy that lets nothing else in", "[scenario][TOL-04]") {
    RealNode node;
    http::HttpClient browser;
    const auto get = [&](const std::string& path) { return browser.fetch({.url = node.login_url(path)}).value(); };
    const auto page = get("/play");
    CHECK(page.status == 200);
    CHECK(page.content_type == "text/html");
    CHECK(page.body.find("<script src=\"/play/play.js\" defer></script>") != std::string::npos);
    const auto script = get("/play/play.js");
    CHECK(script.content_type == "text/javascript");
    CHECK(script.body.find("gameserver.v1") != std::string::npos);
    const auto style = get("/play/play.css");
    CHECK(style.content_type == "text/css");
    CHECK(style.body.find("#lines") != std::string::npos);
    for (const auto& file : {page, script, style}) {
        const auto policy = file.header("Content-Security-Policy");
        CHECK(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
        CHECK(policy.find("connect-src 'self' ws: wss:;") != std::string_view::npos);
        CHECK(policy.find("unsafe") == std::string_view::npos);
        CHECK(file.header("X-Content-Type-Options") == "nosniff");
    }
    CHECK(get("/play/other.js").status == 404);
}

TEST_CASE("the page can be switched off, and is refused outside of development", "[scenario][TOL-04]") {
    RealNode node{{{"login.http.play", false}}};
    http::HttpClient browser;
    CHECK(browser.fetch({.url = node.login_url("/play")}).value().status == 404);

    for (const bool development : {true, false}) {
        SettingsTree tree;
        set_setting(tree, "login.http.play", true);
        REQUIRE(app::declare_all(tree, development, compiled_roles(), compiled_modules()));
        const auto checked = tree.finish();
        CHECK(checked.has_value() == development);
        if (!checked)
            CHECK(checked.error().message().find("login.http.play is for development mode only") != std::string::npos);
    }
}

}  // namespace gs::scenarios
