// How much of a table's capacity is ours.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace messina::pace {

/// What the user asked for.
struct Wish {
  enum class Kind : std::uint8_t {
    half_of_free,  ///< half of what the application leaves over
    share,         ///< `value` of the capacity, over 0 to 1
    fixed,         ///< `value` units per second
    unlimited,
  };
  Kind kind = Kind::half_of_free;
  double value = 0;
  bool operator==(const Wish&) const = default;
};

/// A table's capacity for reads or for writes, in units per second.
struct TableUnits {
  bool on_demand = false;
  double provisioned = 0;
  std::optional<double> most = {};  ///< on demand: OnDemandThroughput's maximum, if one is set
  std::optional<double> warm = {};  ///< on demand: WarmThroughput, if it is described
  bool operator==(const TableUnits&) const = default;
};

/// What a new on-demand table bears at least (Developer Guide, "On-demand capacity mode").
inline constexpr double kDefaultWarmReads = 12'000, kDefaultWarmWrites = 4'000;

/// Decides the rate:
///  - provisioned, and on demand with a maximum: half of (capacity − what the application uses). While nobody
///    says what it uses, it is taken to use half: a quarter of the capacity is ours.
///  - on demand without a maximum: kFirstWarmShare of the warm throughput, growing to kMostWarmShare while it
///    is used up and nothing is throttled, and never more than half of what is free of it.
///  - a share is of the provisioned capacity, of the maximum, or of the warm throughput.
///  - a throttled table or account halves whatever the rate is, once a second at most; it grows back in steps
///    after kEaseHold without another. Throttled key ranges are not told here (pace/hot_pause.h).
/// Pure; not thread-safe.
class CapacityShare {
 public:
  static constexpr double kFirstWarmShare = 0.10, kMostWarmShare = 0.50;
  static constexpr Duration kGrowEvery = std::chrono::seconds(10);
  static constexpr double kGrowth = 1.1;
  static constexpr Duration kEaseHold = std::chrono::seconds(5);
  /// The share of the full rate that is won back a second.
  static constexpr double kEaseBack = 0.02;
  /// What is always ours, so that a move ends some day: this share of the capacity, at least 1 unit a second.
  static constexpr double kLeastShare = 0.01;

  /// `unit`: "RCU" or "WCU", `flag`: "--read-rcu" or "--write-wcu", for the reasons.
  CapacityShare(Wish wish, double default_warm, std::string unit, std::string flag)
      : wish_(wish), default_warm_(default_warm), unit_(std::move(unit)), flag_(std::move(flag)) {}

  /// nullopt: the server has no such thing as capacity.
  void know(std::optional<TableUnits> units) { units_ = units; }
  /// Units per second of everybody but us; nullopt: not known.
  void application_uses(std::optional<double> units_per_s) { application_ = units_per_s; }
  std::optional<double> application() const { return application_; }
  /// True if what the application uses makes a difference.
  bool needs_application() const {
    return !by_hand_ && wish_.kind == Wish::Kind::half_of_free && units_.has_value();
  }
  /// Over the wish, until nullopt.
  void set_by_hand(std::optional<double> units_per_s) { by_hand_ = units_per_s; }

  /// The table or the account was throttled.
  void throttled(MonoTime now);

  struct Decision {
    std::optional<double> units_per_s;  ///< nullopt: no limit
    std::string why;                    ///< for people
  };
  /// `used_per_s`: what we used lately.
  Decision decide(MonoTime now, double used_per_s);

 private:
  Decision wanted(MonoTime now, double used_per_s);
  Decision half_of_free(MonoTime now, double used_per_s);
  Decision of_warm(MonoTime now, double used_per_s);
  double capacity() const;

  Wish wish_;
  double default_warm_;
  std::string unit_, flag_;
  std::optional<TableUnits> units_;
  std::optional<double> application_, by_hand_;
  double warm_share_ = kFirstWarmShare;
  std::optional<MonoTime> grown_at_;
  double ease_ = 1;
  std::optional<MonoTime> throttled_at_, decided_at_;
};

}  // namespace messina::pace
