#include "base/slab.h"

#include <gtest/gtest.h>

namespace messina {
namespace {

TEST(Slab, GrowsAndKeepsItsBytes) {
  Slab slab;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 37), static_cast<char>('a' + i % 26));
    slab.append(piece);
    expected += piece;
  }
  EXPECT_EQ(slab.view(), expected);
  EXPECT_GE(slab.capacity(), slab.size());
}

TEST(Slab, MovingKeepsViewsValid) {
  Slab slab;
  slab.append("hello");
  const std::string_view view = slab.view();
  const Slab other = std::move(slab);
  EXPECT_EQ(view.data(), other.data());
}

TEST(SlabPool, ReusesWhatFitsAndBoundsWhatItKeeps) {
  SlabPool pool(1000);
  Slab slab(600);
  const char* memory = slab.data();
  pool.give_back(std::move(slab));
  EXPECT_EQ(pool.idle_bytes(), 600u);
  pool.give_back(Slab(600));  // would exceed the bound: freed
  EXPECT_EQ(pool.idle_bytes(), 600u);
  Slab again = pool.take(500);
  EXPECT_EQ(again.data(), memory);
  EXPECT_EQ(pool.idle_bytes(), 0u);
}

TEST(SlabPool, DoesNotSpendABigSlabOnASmallNeed) {
  SlabPool pool(1 << 24);
  pool.give_back(Slab(1 << 20));
  const Slab small = pool.take(100);
  EXPECT_LT(small.capacity(), 1u << 20);
  EXPECT_EQ(pool.idle_bytes(), 1u << 20);
}

}  // namespace
}  // namespace messina
