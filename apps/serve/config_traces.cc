// The section `traces:` of serve.yaml.
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/digest.h"
#include "base/secret.h"
#include "config.h"
#include "net/http/address.h"
#include "version.h"

namespace holdfast {
namespace {

constexpr const char* kPath = "/v1/traces";  // OTLP/HTTP's own

std::string host_name() {
  char name[256] = "";
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

Result<void> read_endpoint(YamlMap& section, inference::TraceOptions& traces) {
  TRY(traces.endpoint, section.text("endpoint"));
  const auto url = http::parse_url(traces.endpoint);
  if (!url)
    return std::unexpected(section.error_at("endpoint", "must be an http:// or https:// URL"));
  if (url->target == "/")
    traces.endpoint = (url->tls ? "https://" : "http://") + url->authority + kPath;
  return {};
}

// Their values are secrets: a collector's token most of all.
Result<void> read_headers(YamlMap& section, const std::string& folder,
                          inference::TraceOptions& traces) {
  TRY(YamlMap headers, section.map("headers"));
  TRY(const auto references, headers.all_texts());
  for (const auto& [name, reference] : references) {
    auto value = resolve_secret(reference, folder);
    if (!value) return std::unexpected(headers.error_at(name, value.error().message()));
    traces.headers.emplace_back(name, std::move(*value));
  }
  return headers.finish();
}

// What tells this server from others at the collector, as OpenTelemetry's resources do.
Result<void> read_resource(YamlMap& section, inference::TraceOptions& traces) {
  traces.resource = {{"service.name", "holdfast-serve"},
                     {"service.version", kVersion},
                     {"service.instance.id", random_uuid()},
                     {"host.name", host_name()}};
  TRY(YamlMap resource, section.map("resource"));
  TRY(const auto given, resource.all_texts());
  for (const auto& [key, value] : given) {
    std::erase_if(traces.resource, [&key](const auto& row) { return row.first == key; });
    traces.resource.emplace_back(key, value);
  }
  return resource.finish();
}

}  // namespace

Result<void> read_traces(YamlMap& map, const std::string& source, inference::TraceOptions& traces) {
  if (!map.has("traces")) return {};
  const std::string folder = std::filesystem::absolute(source).parent_path();
  TRY(YamlMap section, map.map("traces"));
  TRY_VOID(read_endpoint(section, traces));
  TRY(traces.sample, section.number_or("sample", traces.sample));
  if (!(traces.sample >= 0 && traces.sample <= 100))
    return std::unexpected(section.error_at("sample", "a percentage from 0 to 100"));
  TRY(const int64_t queue, section.integer_or("queue", 2048, 16, 1'000'000));
  traces.queue = static_cast<size_t>(queue);
  traces.batch = std::min(traces.batch, traces.queue / 2);
  TRY(traces.every, section.duration_or("every", traces.every));
  TRY(traces.timeout, section.duration_or("timeout", traces.timeout));
  if (traces.every.count() < 1 || traces.timeout.count() < 1)
    return std::unexpected(
        section.error_at(traces.every.count() < 1 ? "every" : "timeout", "a time over 0"));
  TRY(std::string ca, section.text_or("ca", ""));
  if (!ca.empty()) traces.ca = std::filesystem::path(folder) / ca;
  traces.version = kVersion;
  TRY_VOID(read_headers(section, folder, traces));
  TRY_VOID(read_resource(section, traces));
  return section.finish();
}

}  // namespace holdfast
