#include "training/firings.h"

#include <array>

namespace holdfast::training {
namespace {

using store::Row;
using store::Tx;

constexpr std::array<std::string_view, 11> kStates = {
    "waiting",  "running",  "building", "evaluating", "deploying", "completed",
    "promoted", "deployed", "refused",  "superseded", "failed"};

State state_of(std::string_view text) {
  for (size_t i = 0; i < kStates.size(); ++i)
    if (kStates[i] == text) return static_cast<State>(i);
  return State::failed;  // of a later release
}

WallTime time_of(int64_t value) {
  return WallTime(std::chrono::nanoseconds(value));
}
int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}

Result<std::vector<Trigger>> read(Tx& tx, std::string_view where,
                                  std::initializer_list<store::Value> values) {
  std::vector<Trigger> out;
  TRY_VOID(tx.each("SELECT yaml, job, code, created, seen FROM trigger_rule " + std::string(where),
                   values, [&out](const Row& row) {
                     Trigger& one = out.emplace_back();
                     one.yaml = row.text(0);
                     one.job = row.text(1);
                     one.code = row.text(2);
                     one.created = time_of(row.integer(3));
                     one.seen = row.integer(4);
                     return true;
                   }));
  for (Trigger& one : out) {
    TRY(one.spec, parse_trigger(one.yaml, "trigger.yaml"));
  }
  return out;
}

}  // namespace

std::string_view to_string(State state) {
  return kStates[static_cast<size_t>(state)];
}
bool is_open(State state) {
  return state < State::completed;
}

Result<std::vector<Trigger>> triggers_of(Tx& tx) {
  return read(tx, "ORDER BY name", {});
}

Result<Trigger> trigger_of(Tx& tx, const std::string& name) {
  TRY(auto found, read(tx, "WHERE name = ?", {std::string_view(name)}));
  if (found.empty())
    return fail(Code::not_found, "trigger_not_found", "there is no trigger '" + name + "'");
  return std::move(found.front());
}

Result<std::vector<Firing>> firings_where(Tx& tx, std::string_view where,
                                          std::initializer_list<store::Value> values) {
  std::vector<Firing> out;
  TRY_VOID(
      tx.each("SELECT id, rule, subject, version, turn, state, job, verdict, error, created, "
              "updated FROM firing " +
                  std::string(where),
              values, [&out](const Row& row) {
                Firing& one = out.emplace_back();
                one.id = row.integer(0);
                one.trigger = row.text(1);
                one.subject = row.text(2);
                one.version = row.integer(3);
                one.turn = row.integer(4);
                one.state = state_of(row.text(5));
                one.job = row.text(6);
                one.verdict = row.text(7);
                one.error = row.text(8);
                one.created = time_of(row.integer(9));
                one.updated = time_of(row.integer(10));
                return true;
              }));
  return out;
}

Result<void> insert_firing(Tx& tx, const Firing& firing) {
  TRY_VOID(
      tx.run("INSERT OR IGNORE INTO firing(rule, subject, version, turn, state, created, "
             "updated) VALUES(?, ?, ?, ?, ?, ?, ?)",
             {std::string_view(firing.trigger), std::string_view(firing.subject), firing.version,
              firing.turn, to_string(firing.state), nanos(firing.created), nanos(firing.created)}));
  return {};
}

Result<void> set_seen(Tx& tx, const std::string& trigger, int64_t seen) {
  TRY_VOID(tx.run("UPDATE trigger_rule SET seen = ?1 WHERE name = ?2 AND seen < ?1",
                  {seen, std::string_view(trigger)}));
  return {};
}

Result<void> update_firing(Tx& tx, const Firing& firing) {
  TRY_VOID(tx.run(
      "UPDATE firing SET state = ?, job = ?, verdict = ?, error = ?, updated = ? "
      "WHERE id = ?",
      {to_string(firing.state), std::string_view(firing.job), std::string_view(firing.verdict),
       std::string_view(firing.error), nanos(firing.updated), firing.id}));
  return {};
}

}  // namespace holdfast::training
