#include "state/verify_model.h"

#include "state/verify_notes.h"

namespace messina::state {

void VerifyModel::begin(const VerifyState& fresh) {
  state_ = fresh;
  state_->notes = {};
  notes_.clear();
}

NoteCounts VerifyModel::commit(const VerifyCommit& step) {
  VerifyState& state = state_.value();
  state.units.insert(state.units.end(), step.new_units.begin(), step.new_units.end());
  for (const VerifyCommit::UnitStep& unit_step : step.steps) {
    VerifyUnit& unit = state.units.at(unit_step.unit);
    unit.cursor = unit_step.cursor;
    unit.done = unit_step.done;
    unit.counts += unit_step.delta;
  }
  add(state.source, step.source_keys);
  add(state.target, step.target_keys);
  for (const KeyNote& note : step.notes) {
    const auto found = notes_.find(note.key);
    const auto former = found == notes_.end() ? std::nullopt : std::optional(found->second.verdict);
    if (!replaces(former, note.verdict)) continue;
    count(state.notes, former, note.verdict);
    if (former) notes_.erase(found);
    if (note.verdict != Verdict::equal) notes_[note.key] = note;
  }
  if (step.record) state.record = *step.record;
  return state.notes;
}

std::vector<KeyNote> VerifyModel::notes(const NoteFilter& filter) const {
  std::vector<KeyNote> found;
  for (auto at = notes_.upper_bound(filter.after_key); at != notes_.end(); ++at) {
    const KeyNote& note = at->second;
    if (!wants(filter, note.verdict) || (filter.cause && *filter.cause != note.cause)) continue;
    if (found.size() == limit_of(filter)) break;
    found.push_back(note);
    if (filter.items) continue;
    found.back().source.clear();
    found.back().target.clear();
  }
  return found;
}

std::optional<KeyNote> VerifyModel::note(const std::string& key) const {
  const auto found = notes_.find(key);
  return found == notes_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<NoteGroup> VerifyModel::groups() const {
  NoteGroups groups;
  for (const auto& [key, note] : notes_) groups.add(note.verdict, note.cause, key);
  return groups.in_order();
}

}  // namespace messina::state
