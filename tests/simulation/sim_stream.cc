#include "sim_stream.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "item/stream_page.h"

namespace messina::simulation {

using namespace std::chrono_literals;
using endpoints::ShardId;
using endpoints::ShardInfo;
using endpoints::ShardStart;
using endpoints::StreamArn;
using endpoints::StreamDescription;
using endpoints::StreamStatus;
using endpoints::StreamView;

namespace {

constexpr std::uint32_t kMostHash = 0xffffffffu;
/// Numbers get one digit longer there, in the middle of a story.
constexpr std::uint64_t kLonger = 10'000'000;

std::uint32_t hash_of(KeyId key) { return key * 2654435761u; }

/// 21 or 22 digits; as numbers they are in the order of `number`.
std::string sequence_text(std::uint64_t number) {
  return fmt::format("{}{:020}", number < kLonger ? "9" : "10", number);
}

std::uint64_t sequence_number(std::string_view text) {
  text.remove_prefix(text.size() - 20);
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

struct Position {
  std::string arn, shard;
  std::uint64_t after = 0;
  std::uint32_t empty_pages = 0;  ///< in a row
  MonoTime issued{};
};

std::string to_text(const Position& position) {
  return fmt::format("{}|{}|{}|{}|{}", position.arn, position.shard, position.after, position.empty_pages,
                     position.issued.time_since_epoch().count());
}

Position parse_position(const std::string& text) {
  Position position;
  const std::size_t a = text.find('|'), b = text.find('|', a + 1), c = text.find('|', b + 1),
                    d = text.find('|', c + 1);
  position.arn = text.substr(0, a);
  position.shard = text.substr(a + 1, b - a - 1);
  position.after = std::stoull(text.substr(b + 1, c - b - 1));
  position.empty_pages = static_cast<std::uint32_t>(std::stoul(text.substr(c + 1, d - c - 1)));
  position.issued = MonoTime(Duration(std::stoll(text.substr(d + 1))));
  return position;
}

}  // namespace

SimStream::SimStream(World& world, const StreamPlan& plan)
    : world_(world), plan_(plan), began_(world.universe().now()) {
  Universe& universe = world_.universe();
  if (plan_.shards > 0) make_stream(plan_.view, StreamStatus::enabled);
  for (std::uint32_t i = 0; i < plan_.splits; ++i) {
    universe.at(began_ + world_.between(Duration::zero(), plan_.splitting), [this] { split_one(); });
  }
  if (plan_.replaced_after) universe.at(began_ + *plan_.replaced_after, [this] { switch_off(); });
  world_.on_source_change([this](KeyId key, World::SourceState before) { changed(key, before); });
}

bool SimStream::outage() const {
  const Duration since = world_.universe().now() - began_;
  return since >= plan_.outage_after && since < plan_.outage_after + plan_.outage_lasts;
}

void SimStream::make_stream(StreamView view, StreamStatus status) {
  Stream stream;
  stream.arn.value = fmt::format("stream-{}", next_stream_++);
  stream.view = view;
  stream.status = status;
  const std::uint32_t count = std::max(plan_.shards, 1u);
  const std::uint32_t width = kMostHash / count;
  for (std::uint32_t i = 0; i < count; ++i) {
    add_shard(stream, std::nullopt, i * width, i + 1 == count ? kMostHash : (i + 1) * width - 1);
  }
  streams_.push_back(std::move(stream));
}

/// As when somebody switches it off and on again: the new one is another, with its own numbers.
void SimStream::switch_off() {
  if (streams_.empty() || streams_.back().status != StreamStatus::enabled) return;
  Universe& universe = world_.universe();
  Stream& stream = streams_.back();
  stream.status = StreamStatus::disabled;
  for (Shard& shard : stream.shards) {
    if (!std::exchange(shard.closed, true)) shard.closed_at = universe.now();
  }
  if (universe.random().chance(0.5)) return;  // whoever captures has to do it
  universe.at(universe.now() + world_.between(1s, 20s), [this] { (void)enable(plan_.view); });
}

void SimStream::add_shard(Stream& stream, std::optional<ShardId> parent, std::uint32_t first,
                          std::uint32_t last) {
  Shard shard;
  // Names say nothing about age.
  shard.id.value = fmt::format("shard-{:03}-{}", world_.universe().random().below(1000), next_shard_++);
  shard.parent = std::move(parent);
  shard.first = first;
  shard.last = last;
  stream.shards.push_back(std::move(shard));
}

void SimStream::split_one() {
  if (streams_.empty() || streams_.back().status != StreamStatus::enabled) return;
  Stream& stream = streams_.back();
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < stream.shards.size(); ++i) {
    if (!stream.shards[i].closed) open.push_back(i);
  }
  Random& random = world_.universe().random();
  Shard& shard = stream.shards[open[random.below(open.size())]];
  shard.closed = true;
  shard.closed_at = world_.universe().now();
  const ShardId parent = shard.id;
  const auto [first, last] = std::pair(shard.first, shard.last);
  ++splits_;
  if (last - first < 2 || random.chance(0.4)) return add_shard(stream, parent, first, last);
  const std::uint32_t middle = first + (last - first) / 2;
  add_shard(stream, parent, first, middle);
  add_shard(stream, parent, middle + 1, last);
}

std::uint64_t SimStream::next_number() {
  Random& random = world_.universe().random();
  if (plan_.in_order) return last_number_ += 1 + random.below(200'000);
  // Of a node's clock.
  const Duration skew = world_.between(Duration::zero(), Duration(plan_.lateness) / 3);
  const Duration at = world_.universe().now() - began_ + skew;
  return static_cast<std::uint64_t>(at / 1us) * 10 + 1 + (++last_number_) % 10;
}

void SimStream::changed(KeyId key, World::SourceState before) {
  if (streams_.empty() || streams_.back().status != StreamStatus::enabled) return;
  const World::SourceState now = world_.source_state(key);
  Record record;
  record.number = next_number();
  record.item = {.key = key, .version = now.version};
  record.before = before;
  record.removed = !now.there;
  record.by_service = record.removed && world_.universe().random().chance(plan_.by_service);
  record.written = world_.universe().now();
  for (Shard& shard : streams_.back().shards) {
    if (shard.closed || hash_of(key) < shard.first || hash_of(key) > shard.last) continue;
    const auto place =
        std::ranges::upper_bound(shard.records, record.number, {}, [](const Record& r) { return r.number; });
    shard.records.insert(place, record);
  }
}

void SimStream::trim() {
  const MonoTime now = world_.universe().now();
  const Duration kept = plan_.retention - plan_.early_trim;
  for (Stream& stream : streams_) {
    for (Shard& shard : stream.shards) {
      while (!shard.records.empty() && now - shard.records.front().written > kept) {
        if (!shard.records.front().read) {
          ++trimmed_unread_;
          newest_trimmed_unread_ =
              std::max(newest_trimmed_unread_.value_or(MonoTime{}), shard.records.front().written);
        }
        shard.trimmed_to = shard.records.front().number;
        shard.records.pop_front();
      }
    }
    std::erase_if(stream.shards, [&](const Shard& shard) {
      return shard.closed && shard.records.empty() && now - shard.closed_at > kept;
    });
  }
}

SimStream::Stream* SimStream::find(const std::string& arn) {
  trim();
  const auto found = std::ranges::find(streams_, arn, [](const Stream& s) { return s.arn.value; });
  return found == streams_.end() ? nullptr : &*found;
}

SimStream::Shard* SimStream::find(Stream& stream, const std::string& id) {
  const auto found = std::ranges::find(stream.shards, id, [](const Shard& s) { return s.id.value; });
  return found == stream.shards.end() ? nullptr : &*found;
}

std::optional<StreamArn> SimStream::newest() const {
  if (streams_.empty()) return std::nullopt;
  return streams_.back().arn;
}

Result<StreamDescription> SimStream::describe(const StreamArn& arn) {
  Stream* const stream = find(arn.value);
  const bool gone = stream == nullptr || (stream->status == StreamStatus::disabled && stream->shards.empty());
  if (gone) return fail(ErrorKind::not_found, "there is no such stream");
  StreamDescription description;
  description.arn = arn;
  description.status = stream->status;
  description.view = stream->view;
  for (const Shard& shard : stream->shards) {
    description.shards.push_back({.id = shard.id, .parent = shard.parent, .closed = shard.closed});
  }
  return description;
}

Result<void> SimStream::enable(StreamView view) {
  const bool there = !streams_.empty() && streams_.back().status != StreamStatus::disabled;
  if (there) return fail(ErrorKind::exists, "the table has a stream");
  make_stream(view, StreamStatus::enabling);
  const std::string arn = streams_.back().arn.value;
  Universe& universe = world_.universe();
  universe.at(universe.now() + world_.between(100ms, 5s),
              [this, arn] { find(arn)->status = StreamStatus::enabled; });
  return {};
}

Result<std::string> SimStream::iterator(const StreamArn& arn, const ShardId& id, const ShardStart& start) {
  Stream* const stream = find(arn.value);
  Shard* const shard = stream == nullptr ? nullptr : find(*stream, id.value);
  if (shard == nullptr) return fail(ErrorKind::not_found, "there is no such shard");
  const std::uint64_t after = start.after ? sequence_number(start.after->digits) : shard->trimmed_to;
  if (after < shard->trimmed_to && world_.universe().random().chance(0.5))
    return fail(ErrorKind::trimmed, "that is trimmed");
  return to_text({arn.value, id.value, after, 0, world_.universe().now()});
}

std::string SimStream::image(const Stream& stream, const Record& record) const {
  std::string text;
  const bool old = stream.view == StreamView::old_image || stream.view == StreamView::new_and_old_images;
  if (has_new_image(stream.view) && !record.removed) text += R"(,"NewImage":)" + item_json(record.item);
  if (old && record.before.there)
    text += R"(,"OldImage":)" + item_json({record.item.key, record.before.version});
  return text;
}

Result<std::string> SimStream::records(const std::string& iterator) {
  const Position position = parse_position(iterator);
  const MonoTime now = world_.universe().now();
  if (now - position.issued > plan_.iterator_life) return fail(ErrorKind::stale, "the iterator has expired");
  Stream* const stream = find(position.arn);
  Shard* const shard = stream == nullptr ? nullptr : find(*stream, position.shard);
  if (shard == nullptr) return fail(ErrorKind::not_found, "there is no such shard");
  if (position.after < shard->trimmed_to) return fail(ErrorKind::trimmed, "that is trimmed");
  std::string body = R"({"Records":[)";
  Position next = position;
  next.issued = now;
  std::uint32_t count = 0;
  bool whole = true;
  const bool empty =
      position.empty_pages < kMostEmptyPages && world_.universe().random().chance(plan_.empty_pages);
  next.empty_pages = 0;
  for (Record& record : shard->records) {
    if (record.number <= position.after) continue;
    if (empty) {
      next.empty_pages = position.empty_pages + 1;
      whole = false;
      break;
    }
    if (count == plan_.page_records || now - record.written < plan_.lateness) {
      whole = false;
      break;
    }
    const auto created = std::chrono::floor<std::chrono::seconds>(
        world_.universe().wall().time_since_epoch() -
        std::chrono::duration_cast<WallTime::duration>(now - record.written));
    body += fmt::format(
        R"({}{{"eventName":"{}",{}"dynamodb":{{"ApproximateCreationDateTime":{},"Keys":{{"pk":{{"S":"{:04}"}}}}{},"SequenceNumber":"{}"}}}})",
        count == 0 ? "" : ",",
        record.removed        ? "REMOVE"
        : record.before.there ? "MODIFY"
                              : "INSERT",
        record.by_service ? R"("userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},)"
                          : "",
        created.count(), record.item.key, image(*stream, record), sequence_text(record.number));
    record.read = true;
    next.after = record.number;
    ++count;
  }
  body += "]";
  if (!shard->closed || !whole) body += R"(,"NextShardIterator":")" + to_text(next) + '"';
  return body + "}";
}

// ---------------------------------------------------------------------------------------------- the feed

namespace {

class SimFeed final : public endpoints::Feed {
 public:
  SimFeed(SimStream& stream, SimLoop& loop) : stream_(stream), world_(stream.world()), loop_(loop) {}

  endpoints::FeedLimits limits() const override {
    return {.retention = stream_.plan().retention,
            .shard_interval = stream_.plan().shard_interval,
            .lateness = stream_.plan().lateness,
            .images_in_order = stream_.plan().in_order};
  }

  Task<Result<std::optional<StreamArn>>> find() override {
    const auto execute = [this]() -> Result<std::optional<StreamArn>> { return stream_.newest(); };
    auto answer = co_await call<std::optional<StreamArn>>(execute);
    co_return answer;
  }
  Task<Result<StreamDescription>> describe(StreamArn arn) override {
    const MonoTime asked_at = loop_.now();
    WallTime executed{};
    const auto execute = [&] {
      executed = loop_.wall();
      return stream_.describe(arn);
    };
    auto answer = co_await call<StreamDescription>(execute);
    if (!answer) co_return answer;
    answer->asked_at = asked_at;
    answer->answered_at = std::chrono::floor<std::chrono::seconds>(executed);
    co_return answer;
  }
  Task<Result<void>> enable(StreamView view) override {
    const auto execute = [this, view] { return stream_.enable(view); };
    auto answer = co_await call<void>(execute);
    co_return answer;
  }
  Task<Result<std::string>> iterator(StreamArn arn, ShardId shard, ShardStart start) override {
    const auto execute = [&] { return stream_.iterator(arn, shard, start); };
    auto answer = co_await call<std::string>(execute);
    co_return answer;
  }
  Task<Result<endpoints::FeedPage>> next(std::string iterator) override {
    endpoints::FeedPage page;
    page.sent_at = loop_.now();
    WallTime executed{};
    const auto execute = [&] {
      executed = loop_.wall();
      return stream_.records(iterator);
    };
    auto body = co_await call<std::string>(execute);
    if (!body) co_return fail(std::move(body.error()));
    page.answered_at = std::chrono::floor<std::chrono::seconds>(executed);
    page.bytes.append(*body);
    item::StreamPageSpans spans;
    const auto split = item::split_stream_page_bytewise(page.bytes.view(), spans);
    if (!split) co_return fail(split.error());
    page.records = std::move(spans.records);
    page.next_iterator = spans.next_iterator;
    co_return page;
  }

 private:
  template <class T, class Execute>
  Task<Result<T>> call(Execute execute) {
    const StreamPlan& plan = stream_.plan();
    const bool slow = world_.chance(plan.slow);
    co_await loop_.sleep_for(world_.between(1ms, 20ms), nullptr);
    if (stream_.outage()) {
      co_await loop_.sleep_for(world_.between(1ms, 5s), nullptr);
      co_return fail(ErrorKind::transient, "nobody answers");
    }
    if (world_.chance(plan.throttled)) {
      co_await loop_.sleep_for(world_.between(1ms, 20ms), nullptr);
      co_return fail(ErrorKind::throttled, "slow down");
    }
    const bool lost = world_.chance(plan.lost);
    if (lost && world_.universe().random().chance(0.5)) {
      co_await loop_.sleep_for(world_.between(10ms, 2s), nullptr);
      co_return fail(ErrorKind::transient, "the connection was cut");
    }
    Result<T> answer = execute();
    co_await loop_.sleep_for(slow ? world_.between(1s, 10s) : world_.between(1ms, 20ms), nullptr);
    if (lost) co_return fail(ErrorKind::unknown_outcome, "the connection was cut");
    co_return answer;
  }

  SimStream& stream_;
  World& world_;
  SimLoop& loop_;
};

}  // namespace

std::unique_ptr<endpoints::Feed> make_feed(SimStream& stream, SimLoop& loop) {
  return std::make_unique<SimFeed>(stream, loop);
}

}  // namespace messina::simulation
