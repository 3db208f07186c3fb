#include "base/log.h"

#include <chrono>
#include <mutex>

#include <spdlog/details/os.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include "base/json_text.h"

namespace messina::log {
namespace {

/// One JSON object a line. spdlog's patterns cannot escape the message.
class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& msg, spdlog::memory_buf_t& dest) override {
    const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(msg.time.time_since_epoch());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
    const std::tm utc = spdlog::details::os::gmtime(static_cast<std::time_t>(seconds.count()));
    const spdlog::string_view_t level = spdlog::level::to_string_view(msg.level);
    std::string line = fmt::format(
        R"({{"event":"log","time":"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z","level":"{}","message":)",
        utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
        (since_epoch - seconds).count(), std::string_view(level.data(), level.size()));
    append_json_string(line, valid_utf8({msg.payload.data(), msg.payload.size()}));
    line += "}\n";
    dest.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void set_writer(std::function<void(std::string_view)> writer) {
    const std::lock_guard lock(mutex_);
    writer_ = std::move(writer);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& msg) override {
    spdlog::memory_buf_t line;
    formatter_->format(msg, line);
    if (writer_) {
      writer_({line.data(), line.size()});
      return;
    }
    for (std::size_t done = 0; done < line.size();) {
      const ssize_t n = ::write(STDERR_FILENO, line.data() + done, line.size() - done);
      if (n <= 0) return;  // nobody listens: there is no place left to say so
      done += static_cast<std::size_t>(n);
    }
  }
  void flush_() override {}

 private:
  std::function<void(std::string_view)> writer_;
};

/// Part of the logger, which is the program's one global.
std::shared_ptr<LineSink>& sink() {
  static auto instance = std::make_shared<LineSink>();
  return instance;
}

/// Length of the valid UTF-8 sequence at `at` (RFC 3629); 0 if there is none.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto in = [](unsigned value, unsigned low, unsigned high) { return value >= low && value <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (in(first, 0xC2, 0xDF)) return in(byte(1), 0x80, 0xBF) ? 2 : 0;
  if (in(first, 0xE0, 0xEF)) {
    const bool second = in(byte(1), first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
    return second && in(byte(2), 0x80, 0xBF) ? 3 : 0;
  }
  if (in(first, 0xF0, 0xF4)) {
    const bool second = in(byte(1), first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
    return second && in(byte(2), 0x80, 0xBF) && in(byte(3), 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence_length(text, at);
    if (length == 0)
      out += "\xEF\xBF\xBD";
    else
      out += text.substr(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

void init(spdlog::level::level_enum level, bool json) {
  auto logger = std::make_shared<spdlog::logger>("messina", sink());
  logger->set_level(level);
  if (json)
    logger->set_formatter(std::make_unique<JsonFormatter>());
  else
    logger->set_pattern("%H:%M:%S %l: %v");
  spdlog::set_default_logger(std::move(logger));
}

void set_writer(std::function<void(std::string_view)> writer) { sink()->set_writer(std::move(writer)); }

}  // namespace messina::log
