#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace messina {
namespace {

TEST(Hash, Sha256OfPublishedVectors) {
  // FIPS 180-2, appendix B.
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, HmacOfPublishedVector) {
  // RFC 4231, test case 2.
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Hash, CallsDoNotDependOnEarlierOnes) {
  const auto digest = sha256("abc");
  const auto keyed = hmac_sha256("Jefe", "what do ya want for nothing?");
  const auto unkeyed = hmac_sha256("", "abc");
  sha256("something else");
  EXPECT_EQ(sha256("abc"), digest);
  EXPECT_NE(unkeyed, hmac_sha256("Jefe", "abc"));
  EXPECT_EQ(hmac_sha256("", "abc"), unkeyed);
  EXPECT_EQ(hmac_sha256("Jefe", "what do ya want for nothing?"), keyed);
  // RFC 2104: an empty key is one of 64 zero bytes.
  EXPECT_EQ(hmac_sha256(std::string(64, '\0'), "abc"), unkeyed);

  for (const std::string& key : {std::string("Jefe"), std::string(), std::string(200, 'k')}) {
    HmacKey kept(key);
    for (const std::string_view text : {"", "abc", "what do ya want for nothing?", "abc"})
      EXPECT_EQ(kept.digest(text), hmac_sha256(key, text)) << key << ", " << text;
  }
}

TEST(Hash, Crc32IsTheCommonOne) { EXPECT_EQ(crc32("123456789"), 0xcbf43926u); }

TEST(Base64, KnownTexts) {
  // RFC 4648, section 10.
  EXPECT_EQ(base64_encode(""), "");
  EXPECT_EQ(base64_encode("f"), "Zg==");
  EXPECT_EQ(base64_encode("fo"), "Zm8=");
  EXPECT_EQ(base64_encode("foobar"), "Zm9vYmFy");
}

TEST(Base64, RoundTripsRandomBytes) {
  const std::uint64_t seed = 20;
  Random random(seed);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes) << "seed " << seed << ", size " << size;
  }
}

TEST(Base64, RefusesWhatIsNotBase64) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 8=", "Zm9v\n", "Zm9*"})
    EXPECT_FALSE(base64_decode(text).has_value()) << text;
}

}  // namespace
}  // namespace messina
