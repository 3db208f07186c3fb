#include "jobs/backward.h"

#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "base/hash.h"
#include "jobs/copy_start.h"
#include "jobs/read_charge.h"
#include "jobs/reread_rejects.h"
#include "jobs/retry.h"
#include "jobs/task_group.h"

namespace messina::jobs {

namespace {

namespace json = boost::json;

/// Pieces in which the target is read, at once.
constexpr std::uint32_t kPieces = 4;
/// How often a paused pass looks whether it may go on.
constexpr Duration kPausedNap = std::chrono::milliseconds(200);
/// Of what a lookup's key costs, how much the newest one counts.
constexpr double kNewestCounts = 0.1;

struct Piece {
  std::string spec, cursor;
  bool done = false;
};

/// The pass's place: [{"spec":"…","cursor":"base64","done":false}]
std::string to_json(const std::vector<Piece>& pieces) {
  json::array list;
  for (const Piece& piece : pieces)
    list.push_back(
        json::object{{"spec", piece.spec}, {"cursor", base64_encode(piece.cursor)}, {"done", piece.done}});
  return json::serialize(list);
}

Result<std::vector<Piece>> pieces_of(std::string_view text) {
  const auto corrupt = [] { return fail(ErrorKind::corrupt, "the place of the backward pass is damaged"); };
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error || !parsed.is_array()) return corrupt();
  std::vector<Piece> pieces;
  for (const json::value& each : parsed.get_array()) {
    const json::object* object = each.if_object();
    const json::value* spec = object != nullptr ? object->if_contains("spec") : nullptr;
    const json::value* cursor = object != nullptr ? object->if_contains("cursor") : nullptr;
    const json::value* done = object != nullptr ? object->if_contains("done") : nullptr;
    if (spec == nullptr || cursor == nullptr || done == nullptr || !spec->is_string() ||
        !cursor->is_string() || !done->is_bool())
      return corrupt();
    const auto bytes = base64_decode(std::string_view(cursor->get_string()));
    if (!bytes) return corrupt();
    pieces.push_back({std::string(spec->get_string()), *bytes, done->get_bool()});
  }
  return pieces;
}

struct Pass {
  explicit Pass(BackwardContext with) : context(std::move(with)), loop(*context.lane->loop) {}
  BackwardContext context;
  Loop& loop;
  std::vector<Piece> pieces;
  std::optional<Error> failure;
  double rcu_per_key = 1;

  bool over() const { return failure.has_value() || context.stop->requested(); }
  bool paused() const { return context.steering != nullptr && context.steering->settings().paused; }
};
using Shared = std::shared_ptr<Pass>;

/// Keys of a page, as the spool has them: by the source's names, and numbers as the target writes them, since
/// there they may be deleted. Each once: ScyllaDB shows 1000 and 1E+3, two items, by one key.
Result<std::vector<std::string>> keys_in(const endpoints::Page& page, const BackwardContext& context) {
  const item::KeyReader reader(context.target_key, context.source_key);
  std::set<std::string> keys;
  for (const std::string_view record : page.records) {
    Result<std::string> key = reader.text(record);
    if (!key) return fail(std::move(key.error()));
    keys.insert(std::move(*key));
  }
  return std::vector<std::string>(keys.begin(), keys.end());
}

/// One lookup at the source, within its budget.
Task<Result<endpoints::LookupPage>> look_up(Shared pass, std::span<const std::string_view> keys) {
  const BackwardContext& context = pass->context;
  ReadCharge charge(*context.reads, context.shared);
  const auto count = static_cast<double>(keys.size());
  for (;;) {
    if (pass->over()) {
      charge.give_up(pass->loop.now());
      co_return fail(ErrorKind::stopped, "stopped while keys were looked up");
    }
    Duration nap = kPausedNap;
    if (!pass->paused()) {
      const std::optional<Duration> turn = charge.ask_units(pass->loop.now(), pass->rcu_per_key * count);
      if (!turn) break;
      nap = *turn;
    }
    co_await pass->loop.sleep_for(nap, context.stop);
  }
  Result<endpoints::LookupPage> page = co_await context.lane->source.get->get(keys, nullptr);
  const double cost = page ? page->cost_rcu : 0;
  charge.answered_units(pass->loop.now(), cost);
  if (page)
    pass->rcu_per_key = std::max(0.5, (1 - kNewestCounts) * pass->rcu_per_key + kNewestCounts * cost / count);
  else if (page.error().kind == ErrorKind::throttled)
    ++*context.source_throttles;
  co_return page;
}

/// Takes out of `keys` what the source has.
Task<Result<void>> keep_absent(Shared pass, std::vector<std::string>& keys) {
  endpoints::Lookup* source = pass->context.lane->source.get.get();
  const item::KeySchema& schema = pass->context.source_key;
  std::set<std::string> there;
  std::vector<std::string> asked = keys;
  while (!asked.empty()) {
    const std::size_t count = std::min(asked.size(), source->max_keys());
    std::vector<std::string_view> some(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(count));
    auto attempt = [pass, &some] { return look_up(pass, some); };
    Result<endpoints::LookupPage> answer = co_await with_retries<endpoints::LookupPage>(
        pass->loop, pass->context.stop, pass->context.random, attempt);
    if (!answer) co_return fail(answer.error());
    for (const std::string_view item : answer->items) {
      const Result<item::Key> key = item::find_key(item, schema);
      if (!key) co_return fail(key.error());
      there.insert(item::key_bytes(*key));
    }
    std::vector<std::string> again;
    for (const std::string_view key : answer->unprocessed_keys) again.emplace_back(key);
    source->recycle(std::move(*answer));
    asked.erase(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(count));
    asked.insert(asked.end(), again.begin(), again.end());
    if (again.size() == count)
      co_await pass->loop.sleep_for(std::chrono::milliseconds(100), pass->context.stop);
    if (pass->over()) co_return fail(ErrorKind::stopped, "stopped while keys were looked up");
  }
  std::erase_if(keys, [&](const std::string& text) {
    const Result<item::Key> key = item::find_key(text, schema);
    return !key || there.contains(item::key_bytes(*key));
  });
  co_return Result<void>();
}

Task<Result<void>> look_at(Shared pass, Piece& piece) {
  endpoints::Scannable* target = pass->context.lane->target.scan.get();
  const endpoints::Unit unit{.id = "backward", .spec = piece.spec};
  while (!pass->over()) {
    const endpoints::Cursor cursor{piece.cursor};
    auto attempt = [target, &unit, &cursor] { return target->read(unit, cursor); };
    Result<endpoints::Page> page =
        co_await with_retries<endpoints::Page>(pass->loop, pass->context.stop, pass->context.random, attempt);
    if (!page) co_return fail(page.error());
    Result<std::vector<std::string>> keys = keys_in(*page, pass->context);
    const bool end = page->end;
    std::string next = page->next.bytes;
    target->recycle(std::move(*page));
    if (!keys) co_return fail(keys.error());
    const Result<void> compared = co_await keep_absent(pass, *keys);
    if (!compared) co_return fail(compared.error());
    if (!keys->empty()) {
      const Result<void> marked =
          co_await put_marks(pass->loop, *pass->context.spool, std::move(*keys), pass->context.stop);
      if (!marked) co_return fail(marked.error());
    }
    piece.done = end;
    piece.cursor = std::move(next);
    const auto keep = [place = to_json(pass->pieces)](state::LiveRecord& live) {
      live.backward_cursor = place;
    };
    const Result<void> kept = co_await pass->context.ledger->update(keep);
    if (!kept) co_return fail(kept.error());
    if (end) co_return Result<void>();
  }
  co_return fail(ErrorKind::stopped, "stopped in the backward pass");
}

Task<void> look_at_piece(Shared pass, std::size_t index) {
  const Result<void> looked = co_await look_at(pass, pass->pieces[index]);
  if (!looked && !pass->failure) pass->failure = looked.error();
}

Task<Result<void>> plan(Shared pass) {
  const std::string& place = pass->context.ledger->record().backward_cursor;
  if (!place.empty()) {
    Result<std::vector<Piece>> pieces = pieces_of(place);
    if (!pieces) co_return fail(pieces.error());
    pass->pieces = std::move(*pieces);
    co_return Result<void>();
  }
  endpoints::Scannable* target = pass->context.lane->target.scan.get();
  endpoints::PlanHints hints;
  hints.segments = kPieces;
  auto attempt = [target, &hints] { return target->plan(hints); };
  Result<std::vector<endpoints::Unit>> units = co_await with_retries<std::vector<endpoints::Unit>>(
      pass->loop, pass->context.stop, pass->context.random, attempt);
  if (!units) co_return fail(units.error());
  for (endpoints::Unit& unit : *units) pass->pieces.push_back({std::move(unit.spec), {}, false});
  co_return Result<void>();
}

}  // namespace

Task<Result<void>> look_backward(BackwardContext context) {
  auto pass = std::make_shared<Pass>(std::move(context));
  const Result<void> planned = co_await plan(pass);
  if (!planned) co_return fail(planned.error());
  if (!pass->context.looks) pass->pieces.clear();
  TaskGroup pieces;
  for (std::size_t i = 0; i < pass->pieces.size(); ++i) {
    if (!pass->pieces[i].done) pieces.spawn(pass->loop.executor(), look_at_piece(pass, i));
  }
  co_await pieces.wait();
  if (const std::optional<Error>& failure = pass->failure) co_return fail(*failure);
  const auto finish = [](state::LiveRecord& live) {
    live.backward = state::BackwardPass::done;
    live.backward_cursor.clear();
    live.gaps.erase(live.gaps.begin(), live.gaps.begin() + static_cast<std::ptrdiff_t>(live.gaps_healing));
    live.gaps_healing = 0;
  };
  const Result<void> finished = co_await pass->context.ledger->update(finish);
  co_return finished;
}

}  // namespace messina::jobs
