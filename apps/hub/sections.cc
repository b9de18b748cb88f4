#include "sections.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace holdfast {
namespace {

namespace json = boost::json;
using Rows = Task<Result<json::array>>;

constexpr size_t kRows = 100, kNewest = 20;

// Text of a twin's property at `path`, or "".
std::string property(const json::object& at, std::initializer_list<std::string_view> path) {
  const json::value* found = nullptr;
  const json::object* in = &at;
  for (const std::string_view name : path) {
    found = in != nullptr ? in->if_contains(name) : nullptr;
    in = found != nullptr && found->is_object() ? &found->as_object() : nullptr;
  }
  if (found == nullptr) return "";
  return found->is_string() ? std::string(found->as_string()) : json::serialize(*found);
}

Rows devices(iot::Hub& hub) {
  json::array out;
  for (const auto& device : hub.devices().list(kRows)) {
    iot::Presence seen = hub.devices().presence(device->address);
    CO_TRY(const auto modules, hub.devices().modules(device->address.device));
    for (const auto& module : modules) {  // an edge speaks as its modules
      const iot::Presence of_module = hub.devices().presence(module->address);
      seen.connected = seen.connected || of_module.connected;
      seen.last_activity = std::max(seen.last_activity, of_module.last_activity);
    }
    json::object row;
    row["device"] = device->address.device;
    row["state"] = !device->enabled ? "disabled" : seen.connected ? "connected" : "away";
    row["last_activity"] = seen.last_activity == WallTime{} ? "0001-01-01T00:00:00Z"
                                                            : format_rfc3339(seen.last_activity, 0);
    row["modules"] = modules.size();
    out.push_back(std::move(row));
  }
  co_return out;
}

using Summaries = std::vector<std::pair<std::string, json::object>>;

// What every edge reports of itself besides its modules, by device (apps/edge/api.h says what).
Task<Summaries> summaries(iot::Hub& hub, std::string_view part) {
  Summaries out;
  for (const auto& device : hub.devices().list(kRows)) {
    const auto twin = co_await hub.twins().get({device->address.device, "$edgeAgent"});
    if (!twin) continue;  // no edge device
    const json::value* found = twin->reported.values.if_contains("holdfast");
    if (found != nullptr && found->is_object()) found = found->get_object().if_contains(part);
    if (found != nullptr && found->is_object())
      out.emplace_back(device->address.device, found->get_object());
  }
  co_return out;
}

// A copy of a reported row behind its device and name; what is structured stays out.
json::object row_of(const std::string& device, std::string_view key, std::string_view name,
                    const json::value& reported) {
  json::object row;
  row["device"] = device;
  row[key] = name;
  if (!reported.is_object()) return row;
  for (const auto& [field, value] : reported.get_object())
    if (!value.is_structured()) row[field] = value;
  return row;
}

Rows files(iot::Hub& hub) {
  json::array out;
  const Summaries all = co_await summaries(hub, "files");
  for (const auto& [device, transforms] : all)
    for (const auto& [name, reported] : transforms)
      out.push_back(row_of(device, "transform", name, reported));
  co_return out;
}

Rows last_answers(iot::Hub& hub) {
  json::array out;
  const Summaries all = co_await summaries(hub, "files");
  for (const auto& [device, transforms] : all) {
    for (const auto& [name, reported] : transforms) {
      const json::value* last =
          reported.is_object() ? reported.get_object().if_contains("last") : nullptr;
      if (last != nullptr) out.push_back(row_of(device, "transform", name, *last));
    }
  }
  co_return out;
}

Rows queues(iot::Hub& hub) {
  json::array out;
  const Summaries all = co_await summaries(hub, "queues");
  for (const auto& [device, shares] : all)
    for (const auto& [name, reported] : shares)
      out.push_back(row_of(device, "share", name, reported));
  co_return out;
}

// What every edge shall run, beside what it reports.
Rows deployments(iot::Hub& hub) {
  json::array out;
  for (const auto& device : hub.devices().list(kRows)) {
    const auto twin = co_await hub.twins().get({device->address.device, "$edgeAgent"});
    if (!twin) continue;  // no edge device
    const json::value* wanted = twin->desired.values.if_contains("modules");
    if (wanted == nullptr || !wanted->is_object()) continue;
    for (const auto& [name, module] : wanted->as_object()) {
      if (!module.is_object()) continue;
      json::object row;
      row["device"] = device->address.device;
      row["module"] = name;
      row["type"] = property(module.as_object(), {"type"});
      row["image"] = property(module.as_object(), {"settings", "image"});
      row["state"] = property(twin->reported.values, {"modules", name, "runtimeStatus"});
      out.push_back(std::move(row));
    }
  }
  co_return out;
}

Rows data_assets(data::Assets& assets) {
  CO_TRY(const auto versions, co_await assets.list());
  json::array out;
  for (const data::Version& version : versions) {
    json::object row;
    row["asset"] = version.asset;
    row["version"] = version.number;
    row["files"] = version.files;
    row["bytes"] = version.bytes;
    row["created"] = format_rfc3339(version.created, 0);
    out.push_back(std::move(row));
  }
  co_return out;
}

// Only times that have come.
std::string time_text(WallTime time) {
  return time == WallTime{} ? "" : format_rfc3339(time, 0);
}

Rows newest_jobs(jobs::Jobs& jobs) {
  CO_TRY(const auto found, co_await jobs.list(kNewest));
  json::array out;
  for (const jobs::Job& job : found) {
    std::string read;
    for (const jobs::Lineage& input : job.lineage)
      read += (read.empty() ? "" : ", ") + input.asset + ":" + std::to_string(input.version);
    json::object row;
    row["job"] = job.name;
    row["state"] = jobs::to_string(job.status);
    row["reads"] = read;
    row["started"] = time_text(job.started);
    row["ended"] = time_text(job.ended);
    row["reason"] = job.error;
    out.push_back(std::move(row));
  }
  co_return out;
}

Rows registered(ml::Models& models) {
  ml::Search search;
  search.limit = kRows;
  CO_TRY(const auto page, co_await models.search(std::move(search)));
  json::array out;
  for (const ml::RegisteredModel& model : page.items) {
    CO_TRY(const auto versions, co_await models.versions(model.name, 1));
    std::string aliases;
    for (const auto& [alias, number] : model.aliases)
      aliases += (aliases.empty() ? "" : ", ") + alias + " is " + std::to_string(number);
    json::object row;
    row["model"] = model.name;
    row["newest"] = versions.empty() ? 0 : versions.front().number;
    row["aliases"] = aliases;
    row["registered"] =
        versions.empty()
            ? ""
            : time_text(WallTime(std::chrono::milliseconds(versions.front().created_ms)));
    out.push_back(std::move(row));
  }
  co_return out;
}

Rows firings(training::Triggers& triggers) {
  CO_TRY(const auto found, co_await triggers.firings("", kNewest));
  json::array out;
  for (const training::Firing& firing : found) {
    json::object row;
    row["trigger"] = firing.trigger;
    row["on"] = firing.subject + ":" + std::to_string(firing.version);
    row["state"] = training::to_string(firing.state);
    row["job"] = firing.job;
    row["updated"] = time_text(firing.updated);
    row["reason"] = firing.error;
    out.push_back(std::move(row));
  }
  co_return out;
}

Rows images_of(registry::Registry& images) {
  CO_TRY(const auto repositories, co_await images.repositories(kRows, ""));
  json::array out;
  for (const std::string& repository : repositories.names) {
    CO_TRY(const auto tags, co_await images.tags(repository, kRows, ""));
    std::string all;
    for (const std::string& tag : tags.names) all += (all.empty() ? "" : ", ") + tag;
    json::object row;
    row["repository"] = repository;
    row["tags"] = all;
    out.push_back(std::move(row));
  }
  co_return out;
}

Rows storage(identity::Accounts& accounts, blob::Blobs& blobs) {
  json::array out;
  for (const auto& account : accounts.list()) {
    CO_TRY(const blob::Page page, co_await blobs.list_containers(account->name, {.limit = kRows}));
    for (const blob::Info& container : page.items) {
      json::object row;
      row["account"] = account->name;
      row["container"] = container.name;
      row["modified"] = format_rfc3339(container.modified, 0);
      out.push_back(std::move(row));
    }
  }
  co_return out;
}

// Places where stored bytes are not what was written; they are never served.
Rows damage(blob::Blobs& blobs) {
  json::array out;
  CO_TRY(const auto found, co_await blobs.objects().damages(kRows));
  for (const store::Damage& place : found) {
    json::object row;
    row["content"] = static_cast<int64_t>(place.content);
    row["offset"] = place.at;
    row["found"] = format_rfc3339(place.found, 0);
    row["what"] = place.what;
    out.push_back(std::move(row));
  }
  co_return out;
}

}  // namespace

std::vector<console::Section> status_sections(StatusParts parts) {
  return {
      {"devices", "No device yet: holdfast device create NAME",
       [parts] { return devices(parts.iot); }},
      {"deployments", "Nothing is deployed: holdfast deployment apply DEVICE --file FILE",
       [parts] { return deployments(parts.iot); }},
      {"files", "No edge tells of its transforms yet.", [parts] { return files(parts.iot); }},
      {"last answers", "No edge tells of an answer yet.",
       [parts] { return last_answers(parts.iot); }},
      {"queues", "No edge tells of its cloud shares yet.", [parts] { return queues(parts.iot); }},
      {"models", "No model is registered yet: a job's output or an MLflow client registers one.",
       [parts] { return registered(parts.models); }},
      {"triggers", "No trigger has fired yet: holdfast trigger create --file FILE",
       [parts] { return firings(parts.triggers); }},
      {"jobs", "No job yet: holdfast job create --file FILE",
       [parts] { return newest_jobs(parts.jobs); }},
      {"data assets", "No data asset yet: holdfast data create NAME --container CONTAINER",
       [parts] { return data_assets(parts.assets); }},
      {"images", "The registry is empty.", [parts] { return images_of(parts.images); }},
      {"storage", "No container yet.", [parts] { return storage(parts.accounts, parts.blobs); }},
      {"damage", "No stored byte was found damaged.", [parts] { return damage(parts.blobs); }},
  };
}

}  // namespace holdfast
