// Beside the copy: what of the captured changes may be applied already (PROTOCOL rule 11). Pure.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "base/clock.h"

namespace messina::jobs {

/// The send time of the oldest page of history that may still be on its way to the target. A change that was
/// captured earlier may be applied: pages that were sent later contain it, pages that were sent earlier have
/// landed. Thread-safe: the copy's loops tell, the applier's ask.
class Watermark {
 public:
  using Page = std::uint64_t;

  /// `clock_error` is S: a page is finished when more than that has passed since its acknowledgement.
  explicit Watermark(Duration clock_error) : clock_error_(clock_error) {}

  /// A page will be asked for, now that it is `at`: called before its request is made.
  Page sent(MonoTime at);
  /// All of its records were acknowledged, or rejected, at `at`; after an unknown outcome: by the rewrite.
  void acknowledged(Page page, MonoTime at);
  /// It was never written and never will be: an empty page, or a read that failed.
  void dropped(Page page);

  /// Everything that was captured before this may be applied. It never goes back.
  MonoTime value(MonoTime now);

 private:
  struct State {
    MonoTime sent_at{};
    std::optional<MonoTime> acknowledged_at;
  };
  const Duration clock_error_;
  std::mutex mutex_;
  Page next_ = 1;
  std::map<Page, State> pages_;
  MonoTime given_{};  // the latest value: what is sent from now on is sent after it
};

}  // namespace messina::jobs
