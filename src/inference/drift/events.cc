#include "inference/drift/events.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>

#include "base/digest.h"
#include "base/files.h"
#include "base/json_reader.h"
#include "base/log.h"
#include "inference/drift/report_json.h"

namespace holdfast::inference {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr size_t kMostFiles = 1000;
constexpr size_t kMostNamed = 32;

}  // namespace

std::string event_line(const DriftSubject& of, const DriftReport& report, const std::string& id,
                       const std::string& device) {
  json::array features, classes;
  uint64_t over = 0;
  for (const DriftReport::Feature& one : report.features) {
    if (!one.over()) continue;
    if (++over <= kMostNamed) features.push_back(to_json(one));
  }
  for (const DriftReport::Classes& one : report.classes)
    if (one.distance.over()) classes.push_back(to_json(one));
  json::object data{{"model", of.model},
                    {"version", std::to_string(of.version)},
                    {"model_digest", of.model_digest},
                    {"profile_digest", of.profile_digest},
                    {"begun", format_rfc3339(report.begun)},
                    {"ended", format_rfc3339(report.ended)},
                    {"rows", report.rows},
                    {"features_over", over},
                    {"features", std::move(features)},
                    {"classes", std::move(classes)}};
  if (!device.empty()) data["device"] = device;
  const std::string source = (device.empty() ? "" : "/devices/" + percent_encode(device)) +
                             "/models/" + of.model + "/versions/" + std::to_string(of.version);
  return json::serialize(json::object{{"specversion", "1.0"},
                                      {"id", id},
                                      {"source", source},
                                      {"type", kDriftType},
                                      {"subject", of.model},
                                      {"time", format_rfc3339(report.ended)},
                                      {"datacontenttype", "application/json"},
                                      {"data", data}}) +
         "\n";
}

std::string event_name(const DriftSubject& of, WallTime at, const std::string& id) {
  std::string time;
  for (const char sign : format_rfc3339(at, 0))
    if (sign != '-' && sign != ':' && sign != 'Z') time += sign;
  return "drift-" + of.model + "-" + time + "-" + id.substr(0, 8) + ".jsonl";
}

Result<DriftEvents> DriftEvents::open(std::string state_file, std::string directory,
                                      std::string device) {
  DriftEvents out(std::move(state_file), std::move(directory), std::move(device));
  TRY_VOID(out.read());
  if (auto written = out.deliver(); !written)
    log::warning("drift", "an event cannot be written", {{"error", written.error().message()}});
  return out;
}

Result<void> DriftEvents::read() {
  const auto text = read_file(state_file_, 16 << 20);
  if (!text && text.error().code() == Code::not_found) return {};
  if (!text) return std::unexpected(text.error());
  TRY(const json::object object, parse_json_object(*text, state_file_));
  const json::value* rows = object.if_contains("drifting");
  if (rows == nullptr || !rows->is_array())
    return fail(Code::invalid_argument, state_file_ + " has no list of what drifts");
  for (const json::value& row : rows->get_array()) {
    if (!row.is_object()) return fail(Code::invalid_argument, state_file_ + " is damaged");
    const JsonReader from(row.get_object(), "drifting");
    DriftSubject of;
    Known known;
    TRY(of.model, from.text("model"));
    TRY(of.version, from.integer_or("version", 0, 1, INT64_MAX));
    TRY(of.model_digest, from.text("model_digest"));
    TRY(of.profile_digest, from.text("profile_digest"));
    TRY(known.id, from.text("id"));
    TRY(known.since, from.text("since"));
    TRY(known.name, from.text("file"));
    TRY(known.line, from.text_or("line", ""));
    if (!safe_component(known.name))
      return fail(Code::invalid_argument, state_file_ + " names a file that is none");
    known_[of] = std::move(known);
  }
  return {};
}

Result<void> DriftEvents::keep() const {
  json::array rows;
  for (const auto& [of, known] : known_)
    rows.push_back(json::object{{"model", of.model},
                                {"version", of.version},
                                {"model_digest", of.model_digest},
                                {"profile_digest", of.profile_digest},
                                {"id", known.id},
                                {"since", known.since},
                                {"file", known.name},
                                {"line", known.line}});
  const json::object out{{"drifting", std::move(rows)}};
  return replace_file(state_file_, as_bytes(json::serialize(out) + "\n"));
}

std::string DriftEvents::event_of(const DriftSubject& of) const {
  const auto found = known_.find(of);
  return found == known_.end() ? "" : found->second.id;
}

Result<void> DriftEvents::begin(const DriftSubject& of, const DriftReport& report) {
  if (known_.contains(of)) return {};
  Known known{.id = random_uuid(), .since = format_rfc3339(report.ended)};
  known.name = event_name(of, report.ended, known.id);
  known.line = event_line(of, report, known.id, device_);
  known_[of] = std::move(known);
  auto kept = keep();
  if (!kept) known_.erase(of);
  return kept;
}

Result<void> DriftEvents::end(const DriftSubject& of) {
  const auto found = known_.find(of);
  if (found == known_.end() || !found->second.line.empty()) return {};  // not before it was told
  auto node = known_.extract(found);
  auto kept = keep();
  if (!kept) known_.insert(std::move(node));
  return kept;
}

bool DriftEvents::waiting() const {
  for (const auto& [of, known] : known_)
    if (!known.line.empty()) return true;
  return false;
}

Result<void> DriftEvents::deliver() {
  for (auto& [of, known] : known_) {
    if (known.line.empty()) continue;
    TRY_VOID(make_directories(directory_));
    size_t files = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory_, error))
      files += entry.path().filename().string().starts_with("drift-") ? 1 : 0;
    if (files >= kMostFiles)
      return fail(Code::unavailable,
                  directory_ + " holds " + std::to_string(files) + " events already");
    TRY_VOID(replace_file(directory_ + "/" + known.name, as_bytes(known.line)));
    std::string line = std::exchange(known.line, "");
    if (auto kept = keep(); !kept) {
      known.line = std::move(line);
      return kept;
    }
    log::warning("drift", "requests differ from the training data",
                 {{"model", of.model},
                  {"version", std::to_string(of.version)},
                  {"event", known.id},
                  {"file", known.name}});
  }
  return {};
}

}  // namespace holdfast::inference
