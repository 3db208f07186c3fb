// Randomness, handed in: seeded, repeatable, never global.
#pragma once
#include <cstdint>
#include <random>

namespace messina {

/// A seeded generator. The same seed gives the same sequence on every machine (the standard fixes mt19937_64;
/// the distributions here are our own, because the standard's are not portable). Not thread-safe: one per
/// owner.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t next() { return engine_(); }
  /// Uniform in [0, bound); bound 0 gives 0. The bias below 2^-32 for bounds under 2^32 is of no matter here.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : engine_() % bound; }
  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }
  bool chance(double probability) { return unit() < probability; }
  /// A generator of its own, so that one part's draws do not shift another's.
  Random fork() { return Random(engine_()); }

 private:
  std::mt19937_64 engine_;
};

/// A seed from the system's entropy, for production. Tests and messina-sim print theirs.
inline std::uint64_t entropy_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace messina
