// holdfast storage check, scrub, repair, usage: at a running hub.
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/answer.h"
#include "cli/context.h"
#include "cli/progress.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

struct CareOptions {
  std::string rate = "0";
  bool status = false, no_wait = false, store = false;
};
CareOptions care_options;

uint64_t number(const json::value& of, const char* field) {
  const json::value* found = of.is_object() ? of.get_object().if_contains(field) : nullptr;
  return found != nullptr && found->is_number() ? found->to_number<uint64_t>() : 0;
}
std::string text(const json::value& of, const char* field) {
  const json::value* found = of.is_object() ? of.get_object().if_contains(field) : nullptr;
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

Task<Result<int>> usage(Context& context) {
  CO_TRY(const json::value answer, co_await context.hub_call("GET", "/api/v1/storage/usage"));
  const json::value& all = answer.at("store");
  if (context.form() != Form::table || care_options.store) {
    context.print(care_options.store ? all : answer, {{"CONTENTS", "contents"},
                                                      {"LIVE", "live_bytes"},
                                                      {"GARBAGE", "garbage_bytes"},
                                                      {"SEGMENTS", "segments"},
                                                      {"FILES", "files"},
                                                      {"QUARANTINE", "quarantine_bytes"},
                                                      {"FREE", "free_bytes"}});
    co_return kDone;
  }
  CO_TRY(const json::array rows, list_of(answer, "containers"));
  context.print(rows, {{"ACCOUNT", "account"},
                       {"CONTAINER", "container"},
                       {"BLOBS", "blobs"},
                       {"SIZE", "size"},
                       {"UNCOMMITTED", "waiting_bytes"}});
  context.note(format_size(number(all, "live_bytes")) + " live, " +
               format_size(number(all, "garbage_bytes")) + " waiting to be freed, " +
               format_size(number(all, "free_bytes")) + " free on the disk.");
  co_return kDone;
}

Task<Result<int>> check(Context& context) {
  CO_TRY(const json::value answer, co_await context.hub_call("GET", "/api/v1/storage/check"));
  const uint64_t bad = number(answer, "missing") + number(answer, "damaged");
  if (context.form() == Form::table) {
    CO_TRY(const json::array rows, list_of(answer, "findings"));
    if (!rows.empty())
      context.print(rows, {{"KIND", "kind"},
                           {"CONTENT", "content"},
                           {"FILE", "file"},
                           {"SIZE", "size"},
                           {"WHAT", "what"}});
  } else {
    context.print(answer,
                  {{"MISSING", "missing"}, {"DAMAGED", "damaged"}, {"ORPHANED", "orphaned"}});
  }
  context.note(std::to_string(number(answer, "contents")) +
               " contents: " + std::to_string(number(answer, "missing")) + " missing, " +
               std::to_string(number(answer, "damaged")) + " damaged; " +
               std::to_string(number(answer, "orphaned")) + " files are nobody's.");
  co_return bad > 0 ? kFailed : kDone;
}

Task<Result<int>> repair(Context& context) {
  CO_TRY_VOID(context.confirm("remove orphaned files and put damaged contents in quarantine"));
  CO_TRY(const json::value done, co_await context.hub_call("POST", "/api/v1/storage/repair"));
  context.print(done, {{"ORPHANS REMOVED", "orphans_removed"},
                       {"FREED", "freed_bytes"},
                       {"QUARANTINED", "quarantined"},
                       {"FOUND RIGHT", "cleared"},
                       {"MISSING", "missing"}});
  co_return kDone;
}

void show(Context& context, const json::value& progress) {
  context.print(progress, {{"STATE", "state"},
                           {"READ", "bytes"},
                           {"OF", "total_bytes"},
                           {"DAMAGED", "damaged"},
                           {"STARTED", "started"},
                           {"ENDED", "ended"}});
}

Task<Result<int>> scrub(Context& context) {
  if (care_options.status) {
    CO_TRY(const json::value now, co_await context.hub_call("GET", "/api/v1/storage/scrub"));
    show(context, now);
    co_return number(now, "damaged") > 0 ? kFailed : kDone;
  }
  CO_TRY(const uint64_t rate, parse_size(care_options.rate));
  json::object body;
  body["rate_bytes"] = static_cast<int64_t>(std::min<uint64_t>(rate, INT64_MAX));
  CO_TRY(json::value now,
         co_await context.hub_call("POST", "/api/v1/storage/scrub", json::serialize(body)));
  if (care_options.no_wait) {
    show(context, now);
    co_return kDone;
  }
  Progress bar("scrub", number(now, "total_bytes"), context.globals().quiet);
  while (text(now, "state") == "running") {
    bar.at(number(now, "bytes"));
    CO_TRY_VOID(co_await sleep_for(std::chrono::milliseconds(200)));
    CO_TRY(now, co_await context.hub_call("GET", "/api/v1/storage/scrub"));
  }
  bar.at(number(now, "bytes"));
  bar.done();
  show(context, now);
  co_return number(now, "damaged") > 0 ? kFailed : kDone;
}

}  // namespace

void add_storage_care(CLI::App& storage, Chosen& chosen) {
  CLI::App* verb =
      add_verb(storage, chosen, "usage", "What lies in each container, and in all",
               "  holdfast storage usage\n  holdfast storage usage --store -o json", usage);
  verb->add_flag("--store", care_options.store, "The store's own figures alone");
  add_verb(storage, chosen, "check", "Whether index and files agree: missing, damaged, orphaned",
           "  holdfast storage check\n  holdfast storage check -o json", check);
  add_verb(storage, chosen, "repair",
           "Removes orphans, keeps a copy of what is damaged in quarantine",
           "  holdfast storage repair\n  holdfast storage repair --yes -o json", repair);
  verb =
      add_verb(storage, chosen, "scrub", "Reads everything stored against its checksums",
               "  holdfast storage scrub --rate 100MiB\n  holdfast storage scrub --status", scrub);
  verb->add_option("--rate", care_options.rate, "Bytes a second; 0: as fast as it goes")
      ->capture_default_str();
  verb->add_flag("--status", care_options.status, "Where the scrub is, without beginning one");
  verb->add_flag("--no-wait", care_options.no_wait, "Begins it and returns");
}

}  // namespace holdfast::cli
