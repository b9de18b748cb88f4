// holdfast storage lifecycle: the rules of a running hub, shown and tried.
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cli/answer.h"
#include "cli/storage_lifecycle.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

struct LifecycleOptions {
  bool dry_run = false, now = false;
};
LifecycleOptions lifecycle_options;

std::string count_of(const json::value& of, const char* field) {
  const json::value* found = of.is_object() ? of.get_object().if_contains(field) : nullptr;
  return std::to_string(found != nullptr && found->is_number() ? found->to_number<uint64_t>() : 0);
}

Task<Result<int>> lifecycle(Context& context) {
  constexpr const char* kPath = "/api/v1/storage/lifecycle";
  if (!lifecycle_options.dry_run && !lifecycle_options.now) {
    CO_TRY(const json::value answer, co_await context.hub_call("GET", kPath));
    CO_TRY(const json::array rules, list_of(answer, "rules"));
    context.print(rules, {{"ACCOUNT", "account"},
                          {"RULE", "rule"},
                          {"ENABLED", "enabled"},
                          {"PREFIXES", "prefixes"},
                          {"ACTIONS", "actions"}});
    co_return kDone;
  }
  if (!lifecycle_options.dry_run) {
    CO_TRY_VOID(context.confirm("tier and delete what the lifecycle rules say"));
  }
  const std::string path = std::string(kPath) + (lifecycle_options.dry_run ? "?dry_run=true" : "");
  CO_TRY(const json::value done, co_await context.hub_call("POST", path));
  if (context.form() == Form::table) {
    CO_TRY(const json::array steps, list_of(done, "steps"));
    context.print(steps, {{"ACCOUNT", "account"},
                          {"CONTAINER", "container"},
                          {"BLOB", "blob"},
                          {"SNAPSHOT", "snapshot"},
                          {"VERSION", "version"},
                          {"ACTION", "action"},
                          {"RULE", "rule"}});
  } else {
    context.print(done, {{"TIERED", "tiered"}, {"DELETED", "deleted"}, {"SKIPPED", "skipped"}});
  }
  context.note(count_of(done, "looked_at") + " looked at: " + count_of(done, "tiered") +
               (lifecycle_options.dry_run ? " to be tiered, " : " tiered, ") +
               count_of(done, "deleted") +
               (lifecycle_options.dry_run ? " to be deleted." : " deleted, ") +
               (lifecycle_options.dry_run ? "" : count_of(done, "skipped") + " skipped."));
  co_return kDone;
}

}  // namespace

void add_storage_lifecycle(CLI::App& storage, Chosen& chosen) {
  CLI::App* verb = add_verb(storage, chosen, "lifecycle",
                            "The rules that tier and delete what is old, and what they do",
                            "  holdfast storage lifecycle --dry-run\n"
                            "  holdfast storage lifecycle --now --yes",
                            lifecycle);
  auto* dry = verb->add_flag("--dry-run", lifecycle_options.dry_run, "Tells what they would do");
  verb->add_flag("--now", lifecycle_options.now, "Does it now, not at the next pass")
      ->excludes(dry);
}

}  // namespace holdfast::cli
