#include "inference/life.h"

#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>

#include "base/files.h"
#include "base/json_reader.h"
#include "base/log.h"
#include "inference/trial_json.h"

namespace holdfast::inference {
namespace {

namespace json = boost::json;

constexpr int64_t kMost = INT64_MAX;

std::string path_in(const std::string& folder) {
  return folder + "/LIFE.json";
}

// The objects of a list; empty where there is none.
std::vector<JsonReader> rows_of(const json::object& from, std::string_view key) {
  std::vector<JsonReader> out;
  const json::value* list = from.if_contains(key);
  if (list == nullptr || !list->is_array()) return out;
  for (const json::value& row : list->get_array()) {
    if (row.is_object()) out.emplace_back(row.get_object(), std::string(key));
  }
  return out;
}

std::string describe(const Crash& crash) {
  if (crash.signal != 0) return "by signal " + std::to_string(crash.signal);
  return crash.loading ? "while it was loaded" : "before it had answered anybody";
}

std::string duration_text(std::chrono::milliseconds span) {
  const auto seconds = span.count() / 1000;
  return seconds % 60 == 0 ? std::to_string(seconds / 60) + "m" : std::to_string(seconds) + "s";
}

}  // namespace

const Hold* Life::held(int64_t version) const {
  const auto found = std::ranges::find(holds, version, &Hold::version);
  return found == holds.end() ? nullptr : &*found;
}

void Life::forget(int64_t version) {
  std::erase_if(holds, [version](const Hold& hold) { return hold.version == version; });
  std::erase_if(crashes, [version](const Crash& crash) { return crash.version == version; });
  if (trial && trial->version == version) trial.reset();
}

Result<Life> read_life(const std::string& folder) {
  Life life;
  const auto text = read_file(path_in(folder), 1 << 20);
  if (!text && text.error().code() == Code::not_found) return life;
  if (!text) return std::unexpected(text.error());
  auto object = parse_json_object(*text, "LIFE.json");
  if (!object) return fail(Code::internal, object.error().message());
  for (const JsonReader& row : rows_of(*object, "holds")) {
    Hold hold;
    TRY(hold.version, row.integer_or("version", 0, 1, kMost));
    TRY(hold.kind, row.text("kind"));
    TRY(hold.reason, row.text("reason"));
    TRY(hold.since_ms, row.integer_or("since_ms", 0, 0, kMost));
    life.holds.push_back(std::move(hold));
  }
  for (const JsonReader& row : rows_of(*object, "crashes")) {
    Crash crash;
    TRY(crash.version, row.integer_or("version", 0, 1, kMost));
    TRY(crash.at_ms, row.integer_or("at_ms", 0, 0, kMost));
    TRY(const int64_t signal, row.integer_or("signal", 0, 0, 128));
    crash.signal = static_cast<int>(signal);
    const json::value* loading = row.find("loading");
    crash.loading = loading != nullptr && loading->is_bool() && loading->get_bool();
    life.crashes.push_back(crash);
  }
  if (const json::value* trial = object->if_contains("trial"); trial != nullptr) {
    if (!trial->is_object()) return fail(Code::internal, "LIFE.json: trial is no object");
    TRY(life.trial, parse_trial(trial->get_object()));
  }
  return life;
}

Result<void> write_life(const std::string& folder, const Life& life) {
  if (life.empty()) {
    if (::unlink(path_in(folder).c_str()) == 0) return sync_directory(folder);
    if (errno == ENOENT) return {};
    return std::unexpected(errno_error(errno, "what is remembered of a model"));
  }
  json::object out;
  json::array holds, crashes;
  for (const Hold& hold : life.holds) {
    json::object row;
    row["version"] = hold.version;
    row["kind"] = hold.kind;
    row["reason"] = hold.reason;
    row["since_ms"] = hold.since_ms;
    holds.push_back(std::move(row));
  }
  for (const Crash& crash : life.crashes) {
    json::object row;
    row["version"] = crash.version;
    row["at_ms"] = crash.at_ms;
    row["signal"] = crash.signal;
    row["loading"] = crash.loading;
    crashes.push_back(std::move(row));
  }
  out["holds"] = std::move(holds);
  out["crashes"] = std::move(crashes);
  if (life.trial) out["trial"] = to_json(*life.trial);
  return replace_file(path_in(folder), as_bytes(json::serialize(out) + "\n"));
}

bool learn_from(const Death& death, const std::string& name, int64_t now_ms,
                const QuarantineOptions& options, Life& life) {
  const size_t before = life.crashes.size();
  // An end that was asked for, or answers before the end, speak for a version.
  std::erase_if(life.crashes, [&](const Crash& crash) {
    if (crash.at_ms < now_ms - options.within.count() || crash.at_ms > now_ms) return true;
    if (crash.signal != 0) return false;
    if (death.orderly) return true;
    const auto well = [&](const Death::Seen& seen) {
      return seen.name == name && seen.version == crash.version &&
             (seen.answered || (crash.loading && !seen.loading));
    };
    return std::ranges::any_of(death.suspects, well) || std::ranges::any_of(death.loaded, well);
  });
  bool changed = life.crashes.size() != before;
  for (const Death::Seen& suspect : death.suspects) {
    if (suspect.name != name || options.crashes == 0 || life.held(suspect.version) != nullptr)
      continue;
    if (death.signal == 0 && suspect.answered && !suspect.loading) continue;
    life.crashes.push_back({suspect.version, now_ms, death.signal, suspect.loading});
    changed = true;
    const auto count =
        std::ranges::count(life.crashes, suspect.version, [](const Crash& c) { return c.version; });
    log::warning("inference", "a model was running when the server ended unexpectedly",
                 {{"model", name},
                  {"version", std::to_string(suspect.version)},
                  {"how", describe(life.crashes.back())},
                  {"times", std::to_string(count)}});
    if (static_cast<size_t>(count) < options.crashes) continue;
    Hold hold{.version = suspect.version, .kind = "quarantined", .since_ms = now_ms};
    hold.reason = "the server crashed " + std::to_string(count) + " times within " +
                  duration_text(options.within) + " while it ran, the last time " +
                  describe(life.crashes.back());
    life.forget(suspect.version);
    log::error(
        "inference", "a model is quarantined",
        {{"model", name}, {"version", std::to_string(suspect.version)}, {"reason", hold.reason}});
    life.holds.push_back(std::move(hold));
  }
  return changed;
}

}  // namespace holdfast::inference
