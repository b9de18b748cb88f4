#include "answers/http/api.h"

#include <boost/json.hpp>

namespace holdfast::answers {

namespace json = boost::json;

Task<Result<json::value>> transforms_json(const Flows& flows, shares::FileEvents& events,
                                          store::Database& database) {
  json::array list;
  for (const auto& flow : flows) {
    const FlowConfig& config = flow->config();
    CO_TRY(const shares::Counts counts,
           co_await events.counts(config.share.name, flow->consumer()));
    const auto read = [name = config.transform](store::Tx& tx) { return count_batches(tx, name); };
    CO_TRY(const BatchCounts batches, co_await database.read(read));
    const FlowStatus status = flow->status();
    json::object item{{"name", config.transform},     {"share", config.share.name.str()},
                      {"recipe", config.recipe_file}, {"recipe_sha256", config.recipe.sha256},
                      {"state", status.state},        {"message", status.message},
                      {"pending", counts.pending},    {"done", counts.done},
                      {"failed", counts.failed},      {"set_aside", status.set_aside},
                      {"skipped", status.skipped}};
    if (config.batches) {
      item["to"] = config.batches->to;
      item["batches"] = {
          {"waiting", batches.waiting}, {"files", batches.batches}, {"rows", batches.rows}};
    }
    list.push_back(std::move(item));
  }
  co_return json::value(std::move(list));
}

json::value answers_json(const Flows& flows, size_t limit) {
  json::array list;
  for (const auto& flow : flows) {
    const FlowConfig& config = flow->config();
    if (!config.answers) continue;
    const FlowStatus status = flow->status();
    json::array last;
    for (size_t i = status.last.size() - std::min(limit, status.last.size());
         i < status.last.size(); ++i)
      last.push_back(json::parse(status.last[i]));
    list.push_back(
        {{"name", config.answers->name},
         {"transform", config.transform},
         {"model", config.answers->model},
         {"to", config.answers->to},
         {"state", status.state},
         {"message", status.message},
         {"way", status.way},
         {"answered", status.answered},
         {"open_lines", status.open_lines},
         {"latency",
          {{"count", status.samples}, {"p50_ms", status.p50_ms}, {"p99_ms", status.p99_ms}}},
         {"last", std::move(last)}});
  }
  return list;
}

namespace {

http::Response json_response(json::object document) {
  return http::Response(200, "application/json", json::serialize(document));
}

Task<Result<http::Response>> get_transforms(const Flows& flows, shares::FileEvents& events,
                                            store::Database& database) {
  CO_TRY(json::value list, co_await transforms_json(flows, events, database));
  json::object document{{"transforms", std::move(list)}};
  co_return json_response(std::move(document));
}

Task<Result<http::Response>> get_answers(const Flows& flows, std::optional<std::string> asked) {
  uint64_t limit = 10;
  if (asked) {
    const auto number = parse_u64(*asked);
    if (!number || *number > 100)
      co_return fail(Code::invalid_argument, "limit must be a number from 0 to 100");
    limit = *number;
  }
  json::object document{{"answers", answers_json(flows, limit)}};
  co_return json_response(std::move(document));
}

}  // namespace

void mount(http::Router& router, const Flows& flows, shares::FileEvents& events,
           store::Database& database) {
  router.add("GET", "/api/v1/transforms", http::Role::anonymous,
             [&](http::Request&) { return get_transforms(flows, events, database); });
  router.add("GET", "/api/v1/answers", http::Role::anonymous, [&](http::Request& request) {
    const auto asked = request.query_value("limit");
    return get_answers(flows, asked ? std::optional<std::string>(*asked) : std::nullopt);
  });
}

}  // namespace holdfast::answers
