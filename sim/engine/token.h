// Where a partition lies in the order of a Scan.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace messina::sim {

/// ScyllaDB's token of a partition key: Murmur3 x64 128 with seed 0, its first half, with Cassandra's
/// sign-extended tail bytes, the smallest value moved to the largest (facts of ScyllaDB: "Token"). Both
/// personalities scan by it.
std::int64_t token_of(std::string_view key_bytes);

/// The bytes that ScyllaDB hashes for a number: CQL's decimal, i.e. 4 bytes of scale and the unscaled integer
/// in two's complement, both big-endian. So 1000 and 1E+3 are two keys there. `text` must be a number.
std::string decimal_bytes(std::string_view text);

/// First token of segment `segment` out of `total`: the token space split evenly.
std::int64_t segment_start(std::int64_t segment, std::int64_t total);

}  // namespace messina::sim
