#pragma once
// What is on a connection after the handshake, sans I/O: records, each a length of 4 bytes, little-endian, and so many
// bytes of ciphertext. The plaintexts one after the other are the stream that the two sides exchange; where it is cut
// into records means nothing. A record without plaintext ends the stream: without it, it was cut.
// After every 65,536 records of a direction its key is changed (Rekey of Noise). The counters are not sent.
// Errors: false or broken; the connection is then closed with nothing said.
#include "wire/noise/symmetric.hpp"

namespace gs::wire::noise {

inline constexpr std::size_t record_plain_bytes_max = message_bytes_max - tag_bytes;
inline constexpr std::size_t record_overhead_bytes = 4 + tag_bytes;
inline constexpr std::uint64_t records_between_rekeys = 65'536;

class RecordWriter {
public:
    explicit RecordWriter(const CipherState& cipher) : cipher_{cipher} {}
    /// Appends records of at most `plain_bytes_max` that hold all of `plain`. It is not in `out`.
    [[nodiscard]] bool write(BytesView plain, Buffer& out, std::size_t plain_bytes_max = record_plain_bytes_max);
    /// Appends the end of the stream; nothing may be written after it.
    [[nodiscard]] bool write_end(Buffer& out);

private:
    [[nodiscard]] bool write_record(BytesView plain, Buffer& out);
    CipherState cipher_;
    bool ended_ = false;
};

class RecordReader {
public:
    enum class Status : std::uint8_t { record, incomplete, end, broken };
    struct Read {
        Status status;
        std::size_t consumed = 0;
    };

    explicit RecordReader(const CipherState& cipher) : cipher_{cipher} {}
    /// Reads the first record in `stream` and appends its plaintext. A record of more plaintext than
    /// `plain_bytes_max` is broken, before all of it is there.
    [[nodiscard]] Read read(BytesView stream, Buffer& plain, std::size_t plain_bytes_max = record_plain_bytes_max);
    [[nodiscard]] bool ended() const { return ended_; }

private:
    CipherState cipher_;
    bool ended_ = false, broken_ = false;
};

}  // namespace gs::wire::noise
