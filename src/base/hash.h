// Digests and text encodings, over well-kept libraries (OpenSSL, libdeflate).
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace messina {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
Sha256 hmac_sha256(std::string_view key, std::string_view bytes);

/// HMAC-SHA256 with one key for many texts: half the cost of hmac_sha256() for short ones. Movable; not
/// thread-safe.
class HmacKey {
 public:
  explicit HmacKey(std::string_view key);
  HmacKey(HmacKey&&) noexcept;
  HmacKey& operator=(HmacKey&&) noexcept;
  ~HmacKey();
  Sha256 digest(std::string_view bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

__extension__ using Uint128 = unsigned __int128;

/// A keyed hash of 128 bits, SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"): to
/// whoever does not know the key, the hashes of different texts are as good as drawn. Movable; not
/// thread-safe.
class KeyedHash {
 public:
  using Key = std::array<std::uint8_t, 16>;
  explicit KeyedHash(const Key& key);
  KeyedHash(KeyedHash&&) noexcept;
  KeyedHash& operator=(KeyedHash&&) noexcept;
  ~KeyedHash();
  Uint128 operator()(std::string_view bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  Key key_;
};

/// CRC-32 (IEEE 802.3), as in DynamoDB's x-amz-crc32 header.
std::uint32_t crc32(std::string_view bytes);

/// Lower-case hexadecimal.
std::string to_hex(std::string_view bytes);
inline std::string to_hex(const Sha256& digest) {
  return to_hex(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

/// Standard base64 with padding (RFC 4648 section 4), as DynamoDB's B values are written.
std::string base64_encode(std::string_view bytes);
/// Strict: no white space, padding required, unused bits zero. nullopt if it is not base64.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace messina
