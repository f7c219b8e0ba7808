#include "base/msgpack.hpp"

#include <bit>
#include <limits>

#include "base/utf8.hpp"

namespace gs::msgpack {

template <class Raw>
void Writer::tagged(std::uint8_t tag, Raw value) {
    auto* at = out_.extend(1 + sizeof(Raw));
    *at++ = tag;
    for (std::size_t byte = sizeof(Raw); byte-- > 0;) *at++ = static_cast<std::uint8_t>(value >> (8 * byte));
}

void Writer::unsigned_integer(std::uint64_t value) {
    if (value < 0x80) {
        out_.push_back(static_cast<std::uint8_t>(value));
    } else if (value <= 0xff) {
        tagged(0xcc, static_cast<std::uint8_t>(value));
    } else if (value <= 0xffff) {
        tagged(0xcd, static_cast<std::uint16_t>(value));
    } else if (value <= 0xffffffff) {
        tagged(0xce, static_cast<std::uint32_t>(value));
    } else {
        tagged(0xcf, value);
    }
}

void Writer::integer(std::int64_t value) {
    if (value >= 0) {
        unsigned_integer(static_cast<std::uint64_t>(value));
    } else if (value >= -32) {
        out_.push_back(static_cast<std::uint8_t>(value));
    } else if (value >= std::numeric_limits<std::int8_t>::min()) {
        tagged(0xd0, static_cast<std::uint8_t>(value));
    } else if (value >= std::numeric_limits<std::int16_t>::min()) {
        tagged(0xd1, static_cast<std::uint16_t>(value));
    } else if (value >= std::numeric_limits<std::int32_t>::min()) {
        tagged(0xd2, static_cast<std::uint32_t>(value));
    } else {
        tagged(0xd3, static_cast<std::uint64_t>(value));
    }
}

void Writer::real(double value) { tagged(0xcb, std::bit_cast<std::uint64_t>(value)); }

void Writer::text(std::string_view value) {
    if (value.size() < 32) {
        out_.push_back(static_cast<std::uint8_t>(0xa0 | value.size()));
    } else if (value.size() <= 0xff) {
        tagged(0xd9, static_cast<std::uint8_t>(value.size()));
    } else if (value.size() <= 0xffff) {
        tagged(0xda, static_cast<std::uint16_t>(value.size()));
    } else {
        tagged(0xdb, static_cast<std::uint32_t>(value.size()));
    }
    out_.append(as_bytes(value));
}

void Writer::binary(BytesView value) {
    if (value.size() <= 0xff) {
        tagged(0xc4, static_cast<std::uint8_t>(value.size()));
    } else if (value.size() <= 0xffff) {
        tagged(0xc5, static_cast<std::uint16_t>(value.size()));
    } else {
        tagged(0xc6, static_cast<std::uint32_t>(value.size()));
    }
    out_.append(value);
}

void Writer::array(std::size_t count) {
    if (count < 16) {
        out_.push_back(static_cast<std::uint8_t>(0x90 | count));
    } else if (count <= 0xffff) {
        tagged(0xdc, static_cast<std::uint16_t>(count));
    } else {
        tagged(0xdd, static_cast<std::uint32_t>(count));
    }
}

void Writer::map(std::size_t count) {
    if (count < 16) {
        out_.push_back(static_cast<std::uint8_t>(0x80 | count));
    } else if (count <= 0xffff) {
        tagged(0xde, static_cast<std::uint16_t>(count));
    } else {
        tagged(0xdf, static_cast<std::uint32_t>(count));
    }
}

Error Reader::error() const {
    return {Code::invalid, "message body: {} at byte {}", reason_ == nullptr ? "no error" : reason_, position_};
}

Kind Reader::peek() const {
    if (failed() || at_end()) return Kind::end;
    const auto tag = bytes_[position_];
    if (tag < 0x80 || tag >= 0xe0) return Kind::integer;
    if (tag < 0x90) return Kind::map;
    if (tag < 0xa0) return Kind::array;
    if (tag < 0xc0) return Kind::text;
    switch (tag) {
        case 0xc0:
            return Kind::nil;
        case 0xc2:
        case 0xc3:
            return Kind::boolean;
        case 0xc4:
        case 0xc5:
        case 0xc6:
            return Kind::binary;
        case 0xca:
        case 0xcb:
            return Kind::real;
        case 0xd9:
        case 0xda:
        case 0xdb:
            return Kind::text;
        case 0xdc:
        case 0xdd:
            return Kind::array;
        case 0xde:
        case 0xdf:
            return Kind::map;
        default:
            return tag >= 0xcc && tag <= 0xd3 ? Kind::integer : Kind::extension;
    }
}

template <class Raw>
Raw Reader::big_endian() {
    std::uint64_t value = 0;
    for (const auto byte : take(sizeof(Raw))) value = value << 8 | byte;
    return static_cast<Raw>(value);
}

std::size_t Reader::count(std::size_t items, std::size_t bytes_each) {
    if (items > (bytes_.size() - position_) / bytes_each) {
        fail("a length is greater than the bytes that follow");
        return 0;
    }
    return items;
}

void Reader::nil() {
    if (tag() != 0xc0) fail("nil is expected");
}

bool Reader::boolean() {
    const auto got = tag();
    if (got != 0xc2 && got != 0xc3) fail("true or false is expected");
    return got == 0xc3;
}

std::uint64_t Reader::unsigned_integer(std::uint64_t most) {
    const auto got = tag();
    std::uint64_t value = 0;
    if (got < 0x80) {
        value = got;
    } else if (got >= 0xe0) {
        fail("a number that is not negative is expected");
    } else {
        std::int64_t negative = 0;
        switch (got) {
            case 0xcc:
                value = big_endian<std::uint8_t>();
                break;
            case 0xcd:
                value = big_endian<std::uint16_t>();
                break;
            case 0xce:
                value = big_endian<std::uint32_t>();
                break;
            case 0xcf:
                value = big_endian<std::uint64_t>();
                break;
            case 0xd0:
                negative = big_endian<std::int8_t>();
                break;
            case 0xd1:
                negative = big_endian<std::int16_t>();
                break;
            case 0xd2:
                negative = big_endian<std::int32_t>();
                break;
            case 0xd3:
                negative = big_endian<std::int64_t>();
                break;
            default:
                fail("a whole number is expected");
        }
        if (negative < 0) fail("a number that is not negative is expected");
        if (negative > 0) value = static_cast<std::uint64_t>(negative);
    }
    if (value > most) fail("a number is greater than its field allows");
    return failed() ? 0 : value;
}

std::int64_t Reader::integer(std::int64_t least, std::int64_t most) {
    if (failed() || at_end()) {
        fail("it ends in the middle of a value");
        return 0;
    }
    const auto got = bytes_[position_];
    std::int64_t value = 0;
    if (got >= 0xe0) {
        value = static_cast<std::int8_t>(tag());
    } else if (got >= 0xd0 && got <= 0xd3) {
        tag();
        switch (got) {
            case 0xd0:
                value = big_endian<std::int8_t>();
                break;
            case 0xd1:
                value = big_endian<std::int16_t>();
                break;
            case 0xd2:
                value = big_endian<std::int32_t>();
                break;
            default:
                value = big_endian<std::int64_t>();
                break;
        }
    } else {
        value = static_cast<std::int64_t>(unsigned_integer(std::numeric_limits<std::int64_t>::max()));
    }
    if (value < least || value > most) fail("a number is outside what its field allows");
    return failed() ? 0 : value;
}

double Reader::real() {
    switch (peek()) {
        case Kind::real:
            if (tag() == 0xca) return std::bit_cast<float>(big_endian<std::uint32_t>());
            return std::bit_cast<double>(big_endian<std::uint64_t>());
        case Kind::integer:
            return static_cast<double>(
                integer(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()));
        default:
            fail("a number is expected");
            return 0;
    }
}

std::string_view Reader::text() {
    const auto got = tag();
    std::size_t size = 0;
    if (got >= 0xa0 && got < 0xc0) {
        size = got & 0x1fU;
    } else if (got == 0xd9) {
        size = big_endian<std::uint8_t>();
    } else if (got == 0xda) {
        size = big_endian<std::uint16_t>();
    } else if (got == 0xdb) {
        size = big_endian<std::uint32_t>();
    } else {
        fail("text is expected");
    }
    const auto view = as_text(take(size));
    if (!is_utf8(view)) fail("text is not UTF-8");
    return failed() ? std::string_view{} : view;
}

BytesView Reader::binary() {
    const auto got = tag();
    std::size_t size = 0;
    if (got == 0xc4) {
        size = big_endian<std::uint8_t>();
    } else if (got == 0xc5) {
        size = big_endian<std::uint16_t>();
    } else if (got == 0xc6) {
        size = big_endian<std::uint32_t>();
    } else {
        fail("binary data is expected");
    }
    return failed() ? BytesView{} : take(size);
}

std::size_t Reader::array() {
    const auto got = tag();
    if ((got & 0xf0U) == 0x90) return count(got & 0x0fU, 1);
    if (got == 0xdc) return count(big_endian<std::uint16_t>(), 1);
    if (got == 0xdd) return count(big_endian<std::uint32_t>(), 1);
    fail("a list is expected");
    return 0;
}

std::size_t Reader::map() {
    const auto got = tag();
    if ((got & 0xf0U) == 0x80) return count(got & 0x0fU, 2);
    if (got == 0xde) return count(big_endian<std::uint16_t>(), 2);
    if (got == 0xdf) return count(big_endian<std::uint32_t>(), 2);
    fail("a map is expected");
    return 0;
}

void Reader::skip() {
    for (std::size_t left = 1; left > 0 && !failed(); --left) {
        switch (peek()) {
            case Kind::nil:
                nil();
                break;
            case Kind::boolean:
                boolean();
                break;
            case Kind::integer:
                if (bytes_[position_] == 0xcf) {
                    take(9);
                } else {
                    integer(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
                }
                break;
            case Kind::real:
                real();
                break;
            case Kind::text:
                text();
                break;
            case Kind::binary:
                binary();
                break;
            case Kind::array:
                left += array();
                break;
            case Kind::map:
                left += 2 * map();
                break;
            default:
                fail("an unknown kind of value");
                break;
        }
    }
}

}  // namespace gs::msgpack
