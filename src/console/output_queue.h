// Text on its way to stdout and stderr: whoever says something need not wait for whoever reads it.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace messina::console {

/// Where text goes; handed in so that tests see it.
struct Output {
  std::function<void(std::string_view)> out;  ///< stdout
  std::function<void(std::string_view)> err;  ///< stderr
  std::function<std::size_t()> width;         ///< columns of the terminal, asked before each drawing
};

/// Writes texts in the order in which they were given, by a thread of its own, which starts with the first of
/// them and so has the signal mask of whoever gave it. A pipe that is full, or a terminal that was stopped
/// with Ctrl-S, holds up that thread alone. Thread-safe.
class OutputQueue {
 public:
  enum class Stream : std::uint8_t { out, err };
  /// offer() takes a text while less than this waits to be written, offer_result() while less than a quarter
  /// does: a flood of results leaves room for what else is to be said.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMostResultBytes = kMostBytes / 4;

  explicit OutputQueue(Output output) : output_(std::move(output)) {}
  /// Waits as flush() does.
  ~OutputQueue();
  OutputQueue(const OutputQueue&) = delete;
  OutputQueue& operator=(const OutputQueue&) = delete;

  /// Takes the text, or answers false. Never waits.
  bool offer(Stream stream, std::string_view text) { return take(stream, text, kMostBytes); }
  /// The same, for stdout and with the smaller bound.
  bool offer_result(std::string_view text) { return take(Stream::out, text, kMostResultBytes); }
  /// Waits until offer_result() would take a text.
  void wait_for_room();
  /// Nothing waits to be written, and nothing is being written.
  bool idle() const;
  /// Waits until that is so, however long the readers take.
  void flush();
  std::size_t width() const { return output_.width(); }

 private:
  struct Text {
    Stream stream;
    std::string text;
  };
  bool take(Stream stream, std::string_view text, std::size_t most_bytes);
  void serve();

  const Output output_;
  mutable std::mutex mutex_;
  std::condition_variable given_, written_;
  std::deque<Text> waiting_;
  std::size_t bytes_ = 0;  ///< of `waiting_`, and of what is being written
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace messina::console
