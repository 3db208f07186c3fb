#include "jobs/roles.h"

#include <algorithm>

namespace messina::jobs {

namespace {

bool is(const RoleNote* note, std::string_view state) { return note != nullptr && note->state == state; }

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::capture:
      return "capture";
    case Role::copy:
      return "copy";
    case Role::apply:
      break;
  }
  return "apply";
}

std::optional<Role> role_of(std::string_view name) {
  for (const Role role : kAllRoles)
    if (to_string(role) == name) return role;
  return std::nullopt;
}

bool has(const Roles& roles, Role role) {
  return role == Role::capture ? roles.capture : role == Role::copy ? roles.copy : roles.apply;
}

void add(Roles& roles, Role role) {
  (role == Role::capture ? roles.capture : role == Role::copy ? roles.copy : roles.apply) = true;
}

std::string text_of(const Roles& roles) {
  std::string text;
  for (const Role role : kAllRoles) {
    if (!has(roles, role)) continue;
    if (!text.empty()) text += ", ";
    text += to_string(role);
  }
  return text;
}

std::string job_name(const Roles& roles) {
  const std::string text = text_of(roles);
  return text == "capture" || text == "apply" ? text : "migrate";
}

const RoleNote* note_of(const Progress& progress, Role role) {
  if (!progress.live) return nullptr;
  const auto found = std::ranges::find(progress.live->roles, to_string(role), &RoleNote::role);
  return found == progress.live->roles.end() ? nullptr : &*found;
}

bool does(const Progress& progress, Role role) {
  const RoleNote* const note = note_of(progress, role);
  return note != nullptr && note->state != role_state::kFailed;
}

Result<Roles> take_wish(const RoleWish& wish, const Progress& now, const Roles& pending, bool skips_expired) {
  const bool captures = does(now, Role::capture) || pending.capture;
  const RoleNote* const copy = note_of(now, Role::copy);
  const bool copies = is(copy, role_state::kBeginning) || is(copy, role_state::kRunning) || pending.copy;
  if (wish.roles.capture && !captures && copies)
    return fail(ErrorKind::needs_person,
                "it copies history without a capture beside it, so that changes may be missing in what it "
                "copies");
  if (wish.roles.capture && captures && wish.skip_expired != skips_expired)
    return fail(ErrorKind::needs_person,
                skips_expired ? "it captures with --skip-expired, and this command has no --skip-expired"
                              : "it captures without --skip-expired");
  Roles fresh = kNoRoles;
  for (const Role role : kAllRoles) {
    // What history is worth is the migration's to say: a copy that is done may have to be made anew.
    const bool again = role == Role::copy && is(copy, role_state::kDone);
    const bool done_for = does(now, role) && !again;
    if (has(wish.roles, role) && !done_for && !has(pending, role)) add(fresh, role);
  }
  return fresh;
}

}  // namespace messina::jobs
