#include "cli/measure_place.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <filesystem>

#include "base/files.h"
#include "cli/answer.h"
#include "oci/layer.h"

namespace holdfast::cli {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string serve_data(Context& context, const MeasureOptions& options) {
  return options.serve_data.empty() ? context.globals().data + "/edge/serve" : options.serve_data;
}

Result<std::string> server_url(Context& context, const MeasureOptions& options) {
  if (!options.server.empty()) return options.server;
  if (options.serve_data.empty()) return context.serve();
  TRY(const std::string text, read_file(options.serve_data + "/run.json", 64 << 10));
  boost::system::error_code error;
  const json::value run = json::parse(text, error);
  const std::string scheme = cell(run, "scheme", false);
  return (scheme.empty() ? "http" : scheme) + "://" + cell(run, "http", false);
}

namespace {

// The folder of the models, as the running server says.
std::string models_folder(Context& context, const MeasureOptions& options) {
  const auto text = read_file(serve_data(context, options) + "/run.json", 64 << 10);
  boost::system::error_code error;
  const json::value run = text ? json::parse(*text, error) : json::value();
  const std::string told = run.is_object() ? cell(run, "models", false) : "";
  return told.empty() ? serve_data(context, options) + "/models" : told;
}

bool names_file(const MeasureOptions& options) {
  return options.model.ends_with(".onnx") || options.model.find('/') != std::string::npos;
}

void take_row(Place& place, const json::value& row) {
  place.name = cell(row, "name", false);
  place.version = cell(row, "version", false);
  place.url = place.base + "/v2/models/" + percent_encode(place.name) + "/versions/" +
              percent_encode(place.version);
}

}  // namespace

Task<Result<Place>> place_of(Context& context, const MeasureOptions& options, bool served) {
  Place place;
  std::error_code error;
  if (fs::is_directory(serve_data(context, options), error))
    place.store = serve_data(context, options) + "/tuning";
  std::string digest;
  if (names_file(options)) {
    place.file = options.model;
    CO_TRY(const oci::Digest bytes, oci::digest_file(place.file));
    digest = bytes.str();
  }
  auto base = server_url(context, options);
  if (!base && names_file(options) && !served) co_return place;
  if (!base) co_return std::unexpected(base.error());
  place.base = *base;
  CO_TRY(place.token, context.serve_token());
  auto answer = co_await context.call("GET", place.base + "/api/v1/models", place.token);
  if (!answer && names_file(options) && !served) co_return place;
  if (!answer) co_return std::unexpected(answer.error());
  CO_TRY(const json::array rows, list_of(*answer, "models"));
  for (const json::value& row : rows) {
    const bool it = names_file(options) ? cell(row, "digest", false) == digest
                                        : cell(row, "name", false) == options.model;
    const bool current = cell(row, "current", false) == "true";
    if (it && (current || place.url.empty())) take_row(place, row);
  }
  if (place.url.empty() && (served || !names_file(options)))
    co_return fail(Code::not_found,
                   names_file(options)
                       ? "no served model has these bytes; 'holdfast model create NAME "
                         "--file " +
                             options.model + "' sends them in"
                       : "there is no model '" + options.model + "'");
  if (place.file.empty())
    place.file =
        models_folder(context, options) + "/" + place.name + "/" + place.version + "/model.onnx";
  co_return place;
}

Result<void> check_file(const Place& place) {
  if (::access(place.file.c_str(), R_OK) == 0) return {};
  return fail(Code::not_found, "the model's file is not at " + place.file +
                                   "; name the server's data directory with --serve-data");
}

}  // namespace holdfast::cli
