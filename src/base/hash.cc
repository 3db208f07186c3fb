#include "base/hash.h"

#include <memory>
#include <stdexcept>

#include <libdeflate.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

namespace messina {

namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeMac {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

// OpenSSL 3's one-call functions look the algorithm up and allocate each time, which costs more than hashing
// what a signature hashes. Each thread keeps one context of either kind.

EVP_MD_CTX* sha256_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeDigest> context = [] {
    EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    std::unique_ptr<EVP_MD_CTX, FreeDigest> made(EVP_MD_CTX_new());
    const bool ok =
        digest != nullptr && made != nullptr && EVP_DigestInit_ex2(made.get(), digest, nullptr) == 1;
    EVP_MD_free(digest);
    if (!ok) throw std::runtime_error("OpenSSL has no SHA-256");
    return made;
  }();
  return context.get();
}

using Mac = std::unique_ptr<EVP_MAC_CTX, FreeMac>;

Mac make_hmac() {
  EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  Mac made(mac == nullptr ? nullptr : EVP_MAC_CTX_new(mac));
  EVP_MAC_free(mac);
  std::array<char, 7> name{"SHA256"};
  const std::array<OSSL_PARAM, 2> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0), OSSL_PARAM_construct_end()};
  if (made == nullptr || EVP_MAC_CTX_set_params(made.get(), parameters.data()) != 1)
    throw std::runtime_error("OpenSSL has no HMAC-SHA256");
  return made;
}

const unsigned char* as_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
  EVP_MD_CTX* const context = sha256_context();
  Sha256 digest;
  if (EVP_DigestInit_ex2(context, nullptr, nullptr) != 1 ||
      EVP_DigestUpdate(context, bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context, digest.data(), nullptr) != 1)
    throw std::runtime_error("OpenSSL cannot compute SHA-256");
  return digest;
}

namespace {

/// `key` null: the one that the context was given before.
Sha256 hmac(EVP_MAC_CTX* context, const unsigned char* key, std::size_t key_size, std::string_view bytes) {
  Sha256 digest;
  std::size_t size = 0;
  if (EVP_MAC_init(context, key, key_size, nullptr) != 1 ||
      EVP_MAC_update(context, as_bytes(bytes), bytes.size()) != 1 ||
      EVP_MAC_final(context, digest.data(), &size, digest.size()) != 1)
    throw std::runtime_error("OpenSSL cannot compute HMAC-SHA256");
  return digest;
}

Sha256 hmac_with_key(EVP_MAC_CTX* context, std::string_view key, std::string_view bytes) {
  static constexpr unsigned char no_key = 0;
  return hmac(context, key.empty() ? &no_key : as_bytes(key), key.size(), bytes);
}

}  // namespace

Sha256 hmac_sha256(std::string_view key, std::string_view bytes) {
  thread_local const Mac context = make_hmac();
  return hmac_with_key(context.get(), key, bytes);
}

struct HmacKey::Context {
  Mac mac = make_hmac();
};

HmacKey::HmacKey(std::string_view key) : context_(std::make_unique<Context>()) {
  hmac_with_key(context_->mac.get(), key, {});
}
HmacKey::HmacKey(HmacKey&&) noexcept = default;
HmacKey& HmacKey::operator=(HmacKey&&) noexcept = default;
HmacKey::~HmacKey() = default;

Sha256 HmacKey::digest(std::string_view bytes) { return hmac(context_->mac.get(), nullptr, 0, bytes); }

struct KeyedHash::Context {
  Mac mac;
};

KeyedHash::KeyedHash(const Key& key) : context_(std::make_unique<Context>()), key_(key) {
  EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  if (mac != nullptr) context_->mac.reset(EVP_MAC_CTX_new(mac));
  EVP_MAC_free(mac);
  unsigned int bytes = sizeof(Uint128);
  const std::array<OSSL_PARAM, 2> parameters{OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &bytes),
                                             OSSL_PARAM_construct_end()};
  if (context_->mac == nullptr || EVP_MAC_CTX_set_params(context_->mac.get(), parameters.data()) != 1)
    throw std::runtime_error("OpenSSL has no SipHash");
}
KeyedHash::KeyedHash(KeyedHash&&) noexcept = default;
KeyedHash& KeyedHash::operator=(KeyedHash&&) noexcept = default;
KeyedHash::~KeyedHash() = default;

Uint128 KeyedHash::operator()(std::string_view bytes) {
  EVP_MAC_CTX* const mac = context_->mac.get();
  std::array<unsigned char, sizeof(Uint128)> digest;
  std::size_t size = 0;
  // The key each time: without it OpenSSL 3.0 goes on with the former text.
  if (EVP_MAC_init(mac, key_.data(), key_.size(), nullptr) != 1 ||
      EVP_MAC_update(mac, as_bytes(bytes), bytes.size()) != 1 ||
      EVP_MAC_final(mac, digest.data(), &size, digest.size()) != 1 || size != digest.size())
    throw std::runtime_error("OpenSSL cannot compute SipHash");
  Uint128 hash = 0;
  for (std::size_t i = digest.size(); i-- > 0;) hash = hash << 8 | digest[i];
  return hash;
}

std::uint32_t crc32(std::string_view bytes) { return libdeflate_crc32(0, bytes.data(), bytes.size()); }

std::string to_hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15]);
  }
  return out;
}

namespace {
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_base64_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (int i = 0; i < 64; ++i) values[static_cast<unsigned char>(kBase64[i])] = static_cast<std::int8_t>(i);
  return values;
}
constexpr auto kBase64Values = make_base64_values();
}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  const auto at = [&](std::size_t i) -> std::uint32_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out.push_back(kBase64[group >> 18]);
    out.push_back(kBase64[group >> 12 & 63]);
    out.push_back(i + 1 < bytes.size() ? kBase64[group >> 6 & 63] : '=');
    out.push_back(i + 2 < bytes.size() ? kBase64[group & 63] : '=');
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const int padding = !last ? 0 : text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
    std::uint32_t group = 0;
    for (int k = 0; k < 4; ++k) {
      const int value = k >= 4 - padding ? 0 : kBase64Values[static_cast<unsigned char>(text[i + k])];
      if (value < 0) return std::nullopt;
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    if ((padding == 1 && (group & 0xff) != 0) || (padding == 2 && (group & 0xffff) != 0)) return std::nullopt;
    out.push_back(static_cast<char>(group >> 16));
    if (padding < 2) out.push_back(static_cast<char>(group >> 8));
    if (padding < 1) out.push_back(static_cast<char>(group));
  }
  return out;
}

}  // namespace messina
