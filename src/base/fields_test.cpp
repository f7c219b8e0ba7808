#include "base/fields.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace {

struct Point {
    int x = 1;
    std::string label;
    FIELDS(x, label)
};
struct Plain {};

static_assert(gs::HasFields<Point>);
static_assert(!gs::HasFields<Plain>);
static_assert(gs::field_count<Point> == 2);
static_assert(gs::field_names<Point>[0] == "x");
static_assert(gs::field_names<Point>[1] == "label");

}  // namespace

TEST_CASE("fields are the members themselves", "[base]") {
    Point point;
    std::get<0>(point.gs_fields()) = 5;
    CHECK(point.x == 5);
}
