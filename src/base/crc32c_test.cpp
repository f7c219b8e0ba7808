#include "base/crc32c.hpp"

#include <catch2/catch.hpp>

using namespace gs;

TEST_CASE("CRC32C has the values of RFC 3720, by table and by instruction", "[base][MSG-08]") {
    const auto both = [](BytesView bytes) {
        CHECK(crc32c(bytes) == detail::crc32c_by_table(bytes));
        return crc32c(bytes);
    };
    CHECK(both({}) == 0);
    CHECK(both(as_bytes("123456789")) == 0xe3069283);
    CHECK(both(Binary(32, 0x00)) == 0x8a9136aa);
    CHECK(both(Binary(32, 0xff)) == 0x62a8ab43);
    Binary rising;
    for (std::uint8_t byte = 0; byte < 32; ++byte) rising.push_back(byte);
    CHECK(both(rising) == 0x46dd794e);
    for (std::size_t size = 0; size < 70; ++size) both(BytesView{Binary(size, static_cast<std::uint8_t>(size))});
}
