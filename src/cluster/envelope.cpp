#include "cluster/envelope.hpp"

#include <limits>

#include "wire/message.hpp"

namespace gs::cluster {

void encode_envelope(Buffer& out, const Envelope& envelope) {
    auto* at = out.extend(4 + 4 * wire::varint_bytes_max);
    *at++ = static_cast<std::uint8_t>(envelope.kind);
    *at++ = static_cast<std::uint8_t>(static_cast<unsigned>(envelope.to.role) << 4U |
                                      static_cast<unsigned>(envelope.from.role));
    *at++ = static_cast<std::uint8_t>(envelope.command);
    *at++ = static_cast<std::uint8_t>(envelope.command >> 8);
    for (const std::uint64_t number :
         {envelope.call_id, envelope.subject, envelope.generation, std::uint64_t{envelope.deadline_ms}})
        at = wire::write_varint(at, number);
    out.end_at(at);
    out.append(envelope.body);
}

bool decode_envelope(BytesView payload, Envelope& envelope) {
    if (payload.size() < 8 || payload[0] > 3) return false;
    envelope.kind = static_cast<Envelope::Kind>(payload[0]);
    envelope.to.role = static_cast<Role>(payload[1] >> 4U);
    envelope.from.role = static_cast<Role>(payload[1] & 0x0fU);
    if (static_cast<std::size_t>(envelope.to.role) >= role_count ||
        static_cast<std::size_t>(envelope.from.role) >= role_count) {
        return false;
    }
    envelope.command = static_cast<Command>(payload[2] | payload[3] << 8);
    envelope.body = payload.subspan(4);
    std::uint64_t deadline = 0;
    if (!wire::read_varint(envelope.body, envelope.call_id) || !wire::read_varint(envelope.body, envelope.subject) ||
        !wire::read_varint(envelope.body, envelope.generation) || !wire::read_varint(envelope.body, deadline) ||
        deadline > std::numeric_limits<std::uint32_t>::max()) {
        return false;
    }
    envelope.deadline_ms = static_cast<std::uint32_t>(deadline);
    return true;
}

}  // namespace gs::cluster
