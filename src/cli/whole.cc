// The verbs of the whole: status, check, trust. (up and down run without a task: app.cc.)
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/files.h"
#include "base/yaml.h"
#include "cli/answer.h"
#include "cli/check.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

void line(json::array& rows, std::string part, std::string name, std::string state,
          std::string detail) {
  json::object row;
  row["part"] = std::move(part);
  row["name"] = std::move(name);
  row["state"] = std::move(state);
  row["detail"] = std::move(detail);
  rows.push_back(std::move(row));
}

std::string number(const json::value& row, const char* field) {
  return cell(row, field, true);
}

// What one screen shows; the json and yaml forms carry the daemons' own answers.
json::array screen(const json::object& all) {
  json::array rows;
  const json::value& hub = all.at("hub");
  line(rows, "hub", "", hub.is_object() ? "up" : "down",
       hub.is_object()
           ? "blob storage at " + number(hub, "blob") + ", " + number(hub, "accounts") + " accounts"
           : number(all, "hub"));
  const json::value& edge = all.at("edge");
  if (!edge.is_object()) {
    line(rows, "edge", "", "down", number(all, "edge"));
    return rows;
  }
  line(rows, "edge", number(edge, "device"), "up", "version " + number(edge, "version"));
  if (const json::value* serve = edge.as_object().if_contains("serve"))
    line(rows, "serve", "", number(*serve, "state"),
         "pid " + number(*serve, "pid") + ", restarts " + number(*serve, "restarts"));
  for (const json::value& model : all.at("models").as_array())
    line(rows, "model", number(model, "name"), number(model, "state"),
         "version " + number(model, "version") +
             (number(model, "current").empty() ? "" : ", serving"));
  for (const json::value& transform : all.at("transforms").as_array()) {
    line(rows, "transform", number(transform, "name"), number(transform, "state"),
         number(transform, "pending") + " pending, " + number(transform, "done") + " done, " +
             number(transform, "set_aside") + " set aside " + number(transform, "message"));
  }
  for (const json::value& answers : all.at("answers").as_array()) {
    line(rows, "answers", number(answers, "name"), number(answers, "state"),
         number(answers, "answered") + " answered by " + number(answers, "model") + ", p50 " +
             number(answers, "latency.p50_ms") + " ms, p99 " + number(answers, "latency.p99_ms") +
             " ms");
  }
  for (const json::value& share : all.at("uplink").as_array()) {
    const std::string why = number(share, "waiting");
    line(rows, "uplink", number(share, "share"), why.empty() ? "running" : "waiting",
         number(share, "uploaded_files") + " files, " + number(share, "uploaded_bytes") +
             " uploaded, " + number(share, "pending_files") + " pending" +
             (why.empty() ? "" : ": " + why));
  }
  return rows;
}

Task<json::value> part(Context& context, Result<std::string> base, std::string path,
                       std::string field, std::string token = "") {
  if (!base) co_return json::string(base.error().message());
  auto answer = co_await context.call("GET", *base + path, token);
  if (!answer) co_return json::string(answer.error().message());
  if (field.empty()) co_return *answer;
  auto found = field_of(*answer, field);
  co_return found ? *found : json::value(found.error().message());
}

Task<Result<int>> status(Context& context) {
  json::object all;
  const auto edge = context.edge();
  all["hub"] =
      co_await part(context, context.hub(), "/api/v1/status", "", context.token().value_or(""));
  all["edge"] = co_await part(context, edge, "/api/v1/status", "");
  all["models"] = co_await part(context, context.serve(), "/api/v1/models", "models",
                                context.serve_token().value_or(""));
  all["transforms"] = co_await part(context, edge, "/api/v1/transforms", "transforms");
  all["answers"] = co_await part(context, edge, "/api/v1/answers", "answers");
  all["uplink"] = co_await part(context, edge, "/api/v1/uplink", "shares");
  for (const char* list : {"models", "transforms", "answers", "uplink"}) {
    if (!all.at(list).is_array()) all[list] = json::array();
  }
  const bool healthy = all.at("hub").is_object() && all.at("edge").is_object();
  const bool screen_form = context.form() == Form::table || context.form() == Form::tsv;
  context.print(screen_form ? json::value(screen(all)) : json::value(all),
                {{"PART", "part"}, {"NAME", "name"}, {"STATE", "state"}, {"DETAIL", "detail"}});
  co_return healthy ? kDone : kUnreachable;
}

Task<Result<int>> check(Context& context, std::string file, std::string daemon) {
  json::array rows;
  if (file.empty()) {
    CO_TRY(rows, co_await run_checks(context));
  } else {
    CO_TRY(rows, check_config(file, daemon));
  }
  context.print(
      rows, {{"CHECK", "check"}, {"STATE", "state"}, {"DETAIL", "detail"}, {"REMEDY", "remedy"}});
  for (const json::value& row : rows) {
    if (row.at("state").as_string() == "fail") co_return kFailed;
  }
  co_return kDone;
}

json::object host(std::string url, std::string name) {
  url = url.substr(url.find("://") + 3);
  json::object row;
  row["address"] = url.substr(0, url.find_first_of(":/"));
  row["name"] = std::move(name);
  return row;
}

// The lines for machines without a name server; tsv is what /etc/hosts takes.
Task<Result<int>> trust(Context& context, std::string domain) {
  if (domain.empty()) {
    domain = "holdfast.internal";
    const std::string file = context.globals().data + "/hub.yaml";
    if (const auto text = read_file(file, 1 << 20)) {
      CO_TRY(YamlMap map, YamlMap::parse(*text, file));
      CO_TRY(domain, map.text_or("domain", domain));
    }
  }
  CO_TRY(const std::string hub, context.hub());
  CO_TRY(const std::string token, context.token());
  CO_TRY(const std::string blob, co_await context.blob_url());
  CO_TRY(const json::value answer,
         co_await context.call("GET", hub + "/api/v1/storage/accounts", token));
  CO_TRY(const json::array accounts, list_of(answer, "accounts"));
  json::array rows{host(hub, "hub." + domain)};
  for (const json::value& account : accounts) {
    CO_TRY(const std::string name, text_of(account, "name"));
    rows.push_back(host(blob, name + ".blob." + domain));
  }
  // The edge is named where one runs.
  if (const auto edge = context.edge()) {
    const auto status = co_await context.call("GET", *edge + "/api/v1/status");
    if (status) {
      CO_TRY(const std::string device, text_of(*status, "device"));
      rows.push_back(host(*edge, device + ".edge." + domain));
    }
  }
  context.print(rows, {{"ADDRESS", "address"}, {"NAME", "name"}});
  co_return kDone;
}

}  // namespace

void add_whole(CLI::App& app, Chosen& chosen) {
  add_verb(app, chosen, "status", "One screen of hub, edge, models, queues and uploads",
           "  holdfast status\n  holdfast status -o json", status);
  static std::string file, daemon;
  CLI::App* verb =
      add_verb(app, chosen, "check",
               "The health of this machine and of the daemons, each line with its remedy",
               "  holdfast check\n  holdfast check --config edge.yaml",
               [](Context& context) { return check(context, file, daemon); });
  verb->add_option("--config", file, "Checks this hub.yaml, edge.yaml or serve.yaml instead")
      ->check(CLI::ExistingFile);
  verb->add_option("--daemon", daemon, "Who reads the file, where its keys do not tell")
      ->needs("--config")
      ->check(CLI::IsMember({"hub", "edge", "serve"}));
  static std::string domain;
  add_verb(app, chosen, "trust", "The names of hub, accounts and edge, as lines of /etc/hosts",
           "  holdfast trust\n  holdfast trust -o tsv | sudo tee -a /etc/hosts",
           [](Context& context) { return trust(context, domain); })
      ->add_option("--domain", domain, "Their domain; the hub.yaml of 'holdfast up' without it");
}

}  // namespace holdfast::cli
