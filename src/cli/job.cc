// holdfast job and trigger: training on the hub, by hand and by itself.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>

#include "base/files.h"
#include "base/yaml.h"
#include "cli/answer.h"
#include "cli/context.h"
#include "cli/job_file.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

struct JobOptions {
  std::string name, file;
  unsigned limit = 20;
  bool stream = false, follow = false;
};
JobOptions job_options;

const std::vector<Column> kJob = {
    {"JOB", "name"},   {"STATUS", "status"},   {"EXPERIMENT", "experiment"},
    {"DATA", "read"},  {"STARTED", "started"}, {"ENDED", "ended"},
    {"ERROR", "error"}};
const std::vector<Column> kTrigger = {
    {"TRIGGER", "name"}, {"ON", "type"}, {"WATCHES", "watches"}, {"CREATED", "created"}};
const std::vector<Column> kFiring = {{"TRIGGER", "trigger"}, {"OF", "of"},
                                     {"STATE", "state"},     {"JOB", "job"},
                                     {"UPDATED", "updated"}, {"REASON", "reason"}};

std::string job_path() {
  return "/api/v1/jobs/" + percent_encode(job_options.name);
}
std::string trigger_path() {
  return "/api/v1/triggers/" + percent_encode(job_options.name);
}

// What the job read, in one cell: "digits:2".
json::object with_data(const json::value& job) {
  json::object row = job.as_object();
  std::string read;
  for (const auto& [list, key] : {std::pair("data", "asset"), {"models", "model"}}) {
    const json::value* inputs = row.if_contains(list);
    if (inputs == nullptr || !inputs->is_array()) continue;
    for (const json::value& input : inputs->get_array())
      read +=
          (read.empty() ? "" : " ") + cell(input, key, false) + ":" + cell(input, "version", false);
  }
  row["read"] = read;
  return row;
}

json::object with_subject(const json::value& firing) {
  json::object row = firing.as_object();
  row["of"] = cell(firing, "subject", false) + ":" + cell(firing, "version", false);
  return row;
}

Task<Result<std::string>> send_code(Context& context, std::string tar) {
  if (tar.empty()) co_return std::string();
  CO_TRY(const json::value made, co_await context.hub_call("PUT", "/api/v1/code", std::move(tar)));
  co_return text_of(made, "id");
}

// Prints the log until the job has ended.
Task<Result<void>> print_log(Context& context, std::string name, bool follow) {
  CO_TRY(const std::string hub, context.hub());
  CO_TRY(const std::string token, context.token());
  http::ClientRequest request("GET", hub + "/api/v1/jobs/" + percent_encode(name) +
                                         "/logs?follow=" + (follow ? "true" : "false"));
  request.headers.set("Authorization", "Bearer " + token);
  CO_TRY(auto answer, co_await context.http().send(std::move(request)));
  if (answer.status == 404) co_return fail(Code::not_found, "there is no job '" + name + "'");
  if (answer.status != 200)
    co_return fail(Code::unavailable,
                   "the hub answered with status " + std::to_string(answer.status));
  std::vector<std::byte> buffer(64 << 10);
  while (true) {
    CO_TRY(const size_t count, co_await answer.body->read(buffer));
    if (count == 0) co_return Result<void>();
    const ByteView part = ByteView(buffer).first(count);
    // A terminal gets no control signs of a script; a file gets the bytes.
    if (::isatty(STDOUT_FILENO) == 0) {
      CO_TRY_VOID(write_all(STDOUT_FILENO, part));
      continue;
    }
    std::string text;
    for (const char c : as_text(part))
      text += c == '\n' || c == '\t' ? std::string(1, c) : printable(std::string_view(&c, 1));
    CO_TRY_VOID(write_all(STDOUT_FILENO, as_bytes(text)));
  }
}

Task<Result<int>> job_create(Context& context) {
  CO_TRY(JobFile file, read_job_file(job_options.file));
  CO_TRY(const std::string code, co_await send_code(context, std::move(file.code)));
  json::object body;
  body["name"] = job_options.name;
  body["yaml"] = file.yaml;
  body["code"] = code;
  CO_TRY(json::value made,
         co_await context.hub_call("POST", "/api/v1/jobs", json::serialize(body)));
  if (!job_options.stream) {
    context.print(with_data(made), kJob);
    co_return kDone;
  }
  CO_TRY(job_options.name, text_of(made, "name"));
  context.note("Job " + job_options.name + ":");
  CO_TRY_VOID(co_await print_log(context, job_options.name, true));
  CO_TRY(made, co_await context.hub_call("GET", job_path()));
  const std::string status = cell(made, "status", false), why = cell(made, "error", false);
  context.note("Job " + job_options.name + " is " + status + (why.empty() ? "" : ": " + why));
  co_return status == "Completed" ? kDone : kFailed;
}

Task<Result<int>> job_list(Context& context) {
  CO_TRY(
      const json::value found,
      co_await context.hub_call("GET", "/api/v1/jobs?limit=" + std::to_string(job_options.limit)));
  CO_TRY(json::array rows, list_of(found, "jobs"));
  for (json::value& row : rows) row = with_data(row);
  context.print(rows, kJob);
  co_return kDone;
}

Task<Result<int>> job_show(Context& context) {
  CO_TRY(const json::value found, co_await context.hub_call("GET", job_path()));
  context.print(with_data(found), kJob);
  co_return kDone;
}

Task<Result<int>> job_logs(Context& context) {
  CO_TRY_VOID(co_await print_log(context, job_options.name, job_options.follow));
  co_return kDone;
}

Task<Result<int>> job_cancel(Context& context) {
  CO_TRY(const json::value found, co_await context.hub_call("POST", job_path() + "/cancel"));
  context.print(with_data(found), kJob);
  co_return kDone;
}

Task<Result<int>> trigger_create(Context& context) {
  CO_TRY(const std::string yaml, read_file(job_options.file, 256 << 10));
  CO_TRY(YamlMap map, YamlMap::parse(yaml, job_options.file));
  CO_TRY(const std::string job, map.text_or("create_job", ""));
  JobFile file;
  if (!job.empty()) {
    CO_TRY(file, read_job_file(std::filesystem::path(job_options.file).parent_path() / job));
  }
  CO_TRY(const std::string code, co_await send_code(context, std::move(file.code)));
  json::object body;
  body["yaml"] = yaml;
  body["job"] = file.yaml;
  body["code"] = code;
  CO_TRY(const json::value made,
         co_await context.hub_call("PUT", "/api/v1/triggers", json::serialize(body)));
  context.print(made, kTrigger);
  co_return kDone;
}

Task<Result<int>> trigger_list(Context& context) {
  CO_TRY(const json::value found, co_await context.hub_call("GET", "/api/v1/triggers"));
  CO_TRY(const json::array rows, list_of(found, "triggers"));
  context.print(rows, kTrigger);
  co_return kDone;
}

Task<Result<json::array>> firings(Context& context) {
  CO_TRY(const json::value found,
         co_await context.hub_call("GET",
                                   "/api/v1/firings?trigger=" + percent_encode(job_options.name) +
                                       "&limit=" + std::to_string(job_options.limit)));
  CO_TRY(json::array rows, list_of(found, "firings"));
  for (json::value& row : rows) row = with_subject(row);
  co_return rows;
}

Task<Result<int>> trigger_show(Context& context) {
  CO_TRY(json::value found, co_await context.hub_call("GET", trigger_path()));
  CO_TRY(json::array rows, co_await firings(context));
  if (context.form() == Form::table) {
    context.print(rows, kFiring);
    co_return kDone;
  }
  found.as_object()["firings"] = std::move(rows);
  context.print(found, kTrigger);
  co_return kDone;
}

Task<Result<int>> trigger_log(Context& context) {
  CO_TRY(const json::array rows, co_await firings(context));
  context.print(rows, kFiring);
  co_return kDone;
}

Task<Result<int>> trigger_run(Context& context) {
  CO_TRY(const json::value made, co_await context.hub_call("POST", trigger_path() + "/run"));
  context.print(with_subject(made), kFiring);
  co_return kDone;
}

Task<Result<int>> trigger_delete(Context& context) {
  CO_TRY_VOID(context.confirm("delete the trigger " + job_options.name));
  CO_TRY_VOID(co_await context.hub_call("DELETE", trigger_path()));
  context.note("The trigger " + job_options.name + " is deleted.");
  co_return kDone;
}

void add_jobs(CLI::App& app, Chosen& chosen) {
  CLI::App* job =
      app.add_subcommand("job", "Command jobs: training on the hub")->require_subcommand(1);
  CLI::App* verb = add_verb(*job, chosen, "create", "Submits a job",
                            "  holdfast job create --file train.yaml --stream\n  holdfast job "
                            "create --file train.yaml --name train-7 -o json",
                            job_create);
  verb->add_option("--file", job_options.file, "The job's YAML (Azure ML CLI v2, command)")
      ->required()
      ->check(CLI::ExistingFile);
  verb->add_option("--name", job_options.name, "Its name; without it the YAML's, or a new one");
  verb->add_flag("--stream", job_options.stream, "Prints the log, and ends as the job ends");
  verb = add_verb(*job, chosen, "list", "The newest jobs",
                  "  holdfast job list\n  holdfast job list --limit 100 -o json", job_list);
  verb->add_option("--limit", job_options.limit, "How many")->check(CLI::Range(1, 1000));
  const auto add = [&](const char* name, const char* help, const char* examples, Verb work) {
    CLI::App* made = add_verb(*job, chosen, name, help, examples, std::move(work));
    made->add_option("NAME", job_options.name, "The job")->required();
    return made;
  };
  add("show", "One job", "  holdfast job show train-7\n  holdfast job show train-7 -o json",
      job_show);
  add("logs", "What a job printed",
      "  holdfast job logs train-7\n  holdfast job logs train-7 --follow", job_logs)
      ->add_flag("--follow", job_options.follow, "Until the job has ended");
  add("cancel", "Ends a job",
      "  holdfast job cancel train-7\n  holdfast job cancel train-7 -o json", job_cancel);
}

void add_triggers(CLI::App& app, Chosen& chosen) {
  CLI::App* trigger =
      app.add_subcommand("trigger", "What starts jobs by itself")->require_subcommand(1);
  add_verb(*trigger, chosen, "create", "Makes or replaces a trigger",
           "  holdfast trigger create --file retrain.yaml\n  holdfast trigger create --file "
           "gate.yaml -o json",
           trigger_create)
      ->add_option("--file", job_options.file, "The trigger's YAML")
      ->required()
      ->check(CLI::ExistingFile);
  add_verb(*trigger, chosen, "list", "All triggers",
           "  holdfast trigger list\n  holdfast trigger list -o json", trigger_list);
  CLI::App* verb =
      add_verb(*trigger, chosen, "log", "What triggers have set off, newest first",
               "  holdfast trigger log\n  holdfast trigger log retrain --limit 100", trigger_log);
  verb->add_option("NAME", job_options.name, "One trigger; all without it");
  verb->add_option("--limit", job_options.limit, "How many")->check(CLI::Range(1, 1000));
  const auto add = [&](const char* name, const char* help, const char* examples, Verb work) {
    add_verb(*trigger, chosen, name, help, examples, std::move(work))
        ->add_option("NAME", job_options.name, "The trigger")
        ->required();
  };
  add("show", "A trigger and what it has set off",
      "  holdfast trigger show retrain\n  holdfast trigger show retrain -o yaml", trigger_show);
  add("run", "Fires now", "  holdfast trigger run retrain\n  holdfast trigger run gate -o json",
      trigger_run);
  add("delete", "Deletes a trigger; what it has set off stays to be read",
      "  holdfast trigger delete retrain\n  holdfast trigger delete retrain --yes", trigger_delete);
}

}  // namespace

void add_job(CLI::App& app, Chosen& chosen) {
  add_jobs(app, chosen);
  add_triggers(app, chosen);
}

}  // namespace holdfast::cli
