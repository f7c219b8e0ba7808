#pragma once
// CRC32C (Castagnoli), as iSCSI and others use it: finds what a network or a memory has changed; no protection against
// people. Loop: any thread. Source: RFC 3720, appendix B.4.
#include <cstdint>

#include "base/bytes.hpp"

namespace gs {

[[nodiscard]] std::uint32_t crc32c(BytesView bytes);
namespace detail {
/// For processors without an instruction for it.
[[nodiscard]] std::uint32_t crc32c_by_table(BytesView bytes);
}  // namespace detail

}  // namespace gs
