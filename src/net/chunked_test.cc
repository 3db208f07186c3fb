#include "net/chunked.h"

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace messina::net {
namespace {

/// Feeds `text` in pieces of the sizes that `next_size` gives. The body, or "error: …".
template <class NextSize>
std::string decode(std::string text, NextSize next_size, std::size_t& leftover, bool& done) {
  ChunkDecoder decoder;
  std::string body;
  leftover = 0;
  std::size_t at = 0;
  while (at < text.size() && !decoder.done()) {
    const std::size_t size = std::min<std::size_t>(next_size(), text.size() - at);
    const auto got = decoder.decode(text.data() + at, size);
    if (!got) return "error: " + std::string(got.error());
    body.append(text.data() + at, *got);
    at += size;
    leftover = decoder.leftover() + text.size() - at;
  }
  done = decoder.done();
  return body;
}

TEST(ChunkDecoder, AnyCutOfTheInputGivesTheSameBody) {
  const std::uint64_t seed = 7;
  Random random(seed);
  for (int round = 0; round < 500; ++round) {
    std::string body;
    std::string text;
    for (std::uint64_t chunks = random.below(6); chunks > 0; --chunks) {
      const std::string chunk(1 + random.below(300), static_cast<char>('a' + random.below(26)));
      char size[32];
      std::snprintf(size, sizeof size, random.chance(0.5) ? "%zx" : "%04zX", chunk.size());
      text += size + std::string(random.chance(0.3) ? ";name=\"value\"" : "") + "\r\n" + chunk + "\r\n";
      body += chunk;
    }
    text += "0\r\n";
    if (random.chance(0.3)) text += "Some: trailer\r\nOther: one\r\n";
    text += "\r\n";
    const std::string extra = random.chance(0.3) ? "extra" : "";
    std::size_t leftover = 0;
    bool done = false;
    const auto cuts = [&] { return 1 + random.below(40); };
    EXPECT_EQ(decode(text + extra, cuts, leftover, done), body) << "seed " << seed << " round " << round;
    EXPECT_TRUE(done);
    EXPECT_EQ(leftover, extra.size());
  }
}

TEST(ChunkDecoder, RefusesWhatIsNotChunked) {
  const auto whole = [] { return std::size_t{1} << 20; };
  for (const std::string text :
       {"\r\n", "g\r\n", " 5\r\nhello\r\n", "5\nhello\r\n", "5\r\nhello!\r\n", "5\r\nhello\r!",
        "-5\r\nhello\r\n", "0x5\r\nhello\r\n", "fffffffffffffffffff\r\n", "10000000001\r\n", "0\r\n\rx",
        "0\r\nTrailer: 1\rx", "5\rx"}) {
    std::size_t leftover = 0;
    bool done = false;
    EXPECT_TRUE(decode(text, whole, leftover, done).starts_with("error: ")) << text;
    EXPECT_FALSE(done);
  }
}

TEST(ChunkDecoder, EndlessExtensionsAndTrailersEnd) {
  const auto whole = [] { return std::size_t{1} << 20; };
  std::size_t leftover = 0;
  bool done = false;
  EXPECT_TRUE(decode("5;" + std::string(100'000, 'x'), whole, leftover, done).starts_with("error: "));
  EXPECT_TRUE(decode("0\r\n" + std::string(100'000, 'x'), whole, leftover, done).starts_with("error: "));
  std::string many = "0\r\n";
  for (int i = 0; i < 40'000; ++i) many += "a:b\r\n";
  EXPECT_TRUE(decode(many, whole, leftover, done).starts_with("error: "));
}

}  // namespace
}  // namespace messina::net
