// holdfast storage: accounts, keys, containers, signatures. (Blobs: blob.cc.)
#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/answer.h"
#include "cli/context.h"
#include "cli/storage_lifecycle.h"
#include "identity/sas.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

// The options of the storage verbs; one verb runs in a process.
struct StorageOptions {
  std::string account = "site1", container, blob, prefix, permissions = "r", name, key = "key1";
  std::string ip, start;
  bool https_only = false;
  int hours = 24;
};
StorageOptions storage_options;

Task<Result<json::value>> api(Context& context, std::string method, std::string path,
                              std::string body = "") {
  CO_TRY(const std::string hub, context.hub());
  CO_TRY(const std::string token, context.token());
  co_return co_await context.call(std::move(method), hub + "/api/v1/storage/accounts" + path, token,
                                  std::move(body));
}

Task<Result<int>> account_list(Context& context) {
  CO_TRY(const json::value answer, co_await api(context, "GET", ""));
  CO_TRY(const json::array accounts, list_of(answer, "accounts"));
  context.print(accounts, {{"ACCOUNT", "name"}, {"CREATED", "created"}, {"ENDPOINT", "endpoint"}});
  co_return kDone;
}
Task<Result<int>> account_create(Context& context) {
  json::object body;
  body["name"] = storage_options.name;
  CO_TRY(const json::value answer, co_await api(context, "POST", "", json::serialize(body)));
  context.print(answer, {{"ACCOUNT", "name"}, {"CREATED", "created"}, {"ENDPOINT", "endpoint"}});
  co_return kDone;
}
Task<Result<int>> account_show(Context& context) {
  CO_TRY(const json::value answer,
         co_await api(context, "GET", "/" + percent_encode(storage_options.name)));
  context.print(answer, {{"ACCOUNT", "name"}, {"CREATED", "created"}, {"ENDPOINT", "endpoint"}});
  co_return kDone;
}
Task<Result<int>> account_delete(Context& context) {
  CO_TRY_VOID(context.confirm("delete the account " + storage_options.name));
  CO_TRY_VOID(co_await api(context, "DELETE", "/" + percent_encode(storage_options.name)));
  context.note("Account " + storage_options.name + " is deleted.");
  co_return kDone;
}
Task<Result<int>> key_list(Context& context) {
  CO_TRY(const json::value answer,
         co_await api(context, "GET", "/" + percent_encode(storage_options.name) + "/keys"));
  CO_TRY(const json::array keys, list_of(answer, "keys"));
  context.print(keys, {{"KEY", "name"}, {"VALUE", "value"}});
  co_return kDone;
}
Task<Result<int>> key_rotate(Context& context) {
  CO_TRY(const json::value answer,
         co_await api(context, "POST",
                      "/" + percent_encode(storage_options.name) + "/keys/" +
                          percent_encode(storage_options.key) + "/rotate"));
  CO_TRY(const json::array keys, list_of(answer, "keys"));
  context.print(keys, {{"KEY", "name"}, {"VALUE", "value"}});
  co_return kDone;
}

Task<Result<int>> container_list(Context& context) {
  CO_TRY(auto client, co_await context.blobs(storage_options.account));
  json::array rows;
  std::string marker;
  do {
    CO_TRY(const auto page, co_await client.list_containers(storage_options.prefix, marker));
    for (const auto& container : page.containers) {
      json::object row;
      row["name"] = container.name;
      row["last_modified"] = format_rfc3339(container.last_modified, 0);
      rows.push_back(std::move(row));
    }
    marker = page.next_marker;
  } while (!marker.empty());
  context.print(rows, {{"CONTAINER", "name"}, {"MODIFIED", "last_modified"}});
  co_return kDone;
}
Task<Result<int>> container_create(Context& context) {
  CO_TRY(auto client, co_await context.blobs(storage_options.account));
  CO_TRY(const bool made, co_await client.create_container(storage_options.container));
  if (!made)
    co_return fail(Code::conflict,
                   "the container '" + storage_options.container + "' exists already");
  context.note("Container " + storage_options.container + " is made.");
  co_return kDone;
}
// The service lists containers by prefix; the one of exactly this name is among the first.
Task<Result<int>> container_show(Context& context) {
  CO_TRY(auto client, co_await context.blobs(storage_options.account));
  CO_TRY(const auto page, co_await client.list_containers(storage_options.container, ""));
  for (const auto& container : page.containers) {
    if (container.name != storage_options.container) continue;
    json::object row;
    row["name"] = container.name;
    row["last_modified"] = format_rfc3339(container.last_modified, 0);
    uint64_t blobs = 0, bytes = 0;
    blob_client::ListOptions list;
    do {
      CO_TRY(const auto some, co_await client.list_blobs(storage_options.container, list));
      for (const auto& blob : some.blobs) {
        ++blobs;
        bytes += blob.properties.size;
      }
      list.marker = some.next_marker;
    } while (!list.marker.empty());
    row["blobs"] = blobs;
    row["bytes"] = bytes;
    context.print(row, {{"CONTAINER", "name"},
                        {"MODIFIED", "last_modified"},
                        {"BLOBS", "blobs"},
                        {"SIZE", "bytes"}});
    co_return kDone;
  }
  co_return fail(Code::not_found, "the account '" + storage_options.account +
                                      "' has no container '" + storage_options.container + "'");
}
Task<Result<int>> container_delete(Context& context) {
  CO_TRY_VOID(
      context.confirm("delete the container " + storage_options.container + " and all its blobs"));
  CO_TRY(auto client, co_await context.blobs(storage_options.account));
  CO_TRY_VOID(co_await client.delete_container(storage_options.container));
  context.note("Container " + storage_options.container + " and all its blobs are deleted.");
  co_return kDone;
}

// A URL that lets its holder in until it expires. The key comes from the hub and stays here.
Task<Result<int>> sas_create(Context& context) {
  CO_TRY(const std::string url, co_await context.blob_url());
  CO_TRY(const std::string text, co_await context.account_key(storage_options.account));
  CO_TRY(const std::string key, from_base64(text));
  identity::SasRequest request;
  request.permissions = storage_options.permissions;
  request.expiry = context.clock().now() + std::chrono::hours(storage_options.hours);
  request.container = storage_options.container;
  request.blob = storage_options.blob;
  request.ip = storage_options.ip;
  if (storage_options.https_only) request.protocol = "https";
  if (!storage_options.start.empty()) {
    const auto start = parse_rfc3339(storage_options.start);
    if (!start)
      co_return fail(
          Code::invalid_argument, "usage",
          "--start is a time such as 2026-11-24T12:00:00Z, not '" + storage_options.start + "'");
    request.start = *start;
  }
  json::object row;
  row["expires"] = format_rfc3339(request.expiry, 0);
  std::string path = "/" + storage_options.account;
  if (!storage_options.container.empty()) path += "/" + storage_options.container;
  if (!storage_options.blob.empty()) path += "/" + percent_encode(storage_options.blob, "/");
  row["url"] = url + path + "?" + identity::make_sas(storage_options.account, key, request);
  context.print(row, {{"EXPIRES", "expires"}, {"URL", "url"}});
  co_return kDone;
}

void with_account(CLI::App* verb) {
  verb->add_option("--account", storage_options.account, "The storage account")
      ->capture_default_str();
}

}  // namespace

void add_storage(CLI::App& app, Chosen& chosen) {
  CLI::App* storage =
      app.add_subcommand("storage", "Blob storage: accounts, containers, blobs, signatures")
          ->require_subcommand(1);
  CLI::App* account = storage->add_subcommand("account", "Storage accounts")->require_subcommand(1);
  add_verb(*account, chosen, "list", "All accounts",
           "  holdfast storage account list\n  holdfast storage account list -o json",
           account_list);
  const auto named = [](CLI::App* verb) {
    verb->add_option("NAME", storage_options.name,
                     "The account: 3 to 24 lower-case letters and digits")
        ->required();
  };
  named(add_verb(
      *account, chosen, "create", "Makes an account with two keys",
      "  holdfast storage account create site1\n  holdfast storage account create press07 -o json",
      account_create));
  named(add_verb(
      *account, chosen, "show", "One account",
      "  holdfast storage account show site1\n  holdfast storage account show site1 -o yaml",
      account_show));
  named(add_verb(
      *account, chosen, "delete", "Deletes an account that has no containers",
      "  holdfast storage account delete site1\n  holdfast storage account delete old --yes",
      account_delete));
  named(add_verb(
      *account, chosen, "keys", "Shows an account's keys",
      "  holdfast storage account keys site1\n  holdfast storage account keys site1 -o json",
      key_list));
  CLI::App* rotate = add_verb(*account, chosen, "rotate", "Replaces a key by a new one",
                              "  holdfast storage account rotate site1 --key key2\n  holdfast "
                              "storage account rotate site1 --key key1 -o none",
                              key_rotate);
  named(rotate);
  rotate->add_option("--key", storage_options.key, "key1 or key2")
      ->check(CLI::IsMember({"key1", "key2"}))
      ->required();

  CLI::App* container =
      storage->add_subcommand("container", "Containers of an account")->require_subcommand(1);
  CLI::App* verb = add_verb(*container, chosen, "list", "The containers",
                            "  holdfast storage container list\n  holdfast storage container list "
                            "--account press07 --prefix a",
                            container_list);
  with_account(verb);
  verb->add_option("--prefix", storage_options.prefix, "Only names that begin so");
  for (const auto& [name, help, work] :
       {std::tuple{"create", "Makes a container", Verb(container_create)},
        std::tuple{"show", "A container, its blobs counted", Verb(container_show)},
        std::tuple{"delete", "Deletes a container with all its blobs", Verb(container_delete)}}) {
    verb = add_verb(*container, chosen, name, help,
                    std::string("  holdfast storage container ") + name +
                        " ready\n  holdfast storage container " + name + " ready --account press07",
                    work);
    with_account(verb);
    verb->add_option("NAME", storage_options.container, "The container")->required();
  }

  add_blob(*storage, chosen);
  add_storage_care(*storage, chosen);
  add_storage_lifecycle(*storage, chosen);
  add_transfer(*storage, chosen);

  CLI::App* sas = storage->add_subcommand("sas", "Shared access signatures")->require_subcommand(1);
  verb = add_verb(*sas, chosen, "create", "A URL that lets its holder in until it expires",
                  "  holdfast storage sas create --container ready --permissions rl\n  holdfast "
                  "storage sas create --container ready --blob a.npy --hours 1",
                  sas_create);
  with_account(verb);
  verb->add_option("--container", storage_options.container,
                   "The container; without it, the whole account");
  verb->add_option("--blob", storage_options.blob, "One blob")->needs("--container");
  verb->add_option("--permissions", storage_options.permissions, "Letters of r a c w d l")
      ->capture_default_str();
  verb->add_option("--hours", storage_options.hours, "Until it expires")
      ->capture_default_str()
      ->check(CLI::Range(1, 24 * 366));
  verb->add_option("--start", storage_options.start, "From when on; at once without it");
  verb->add_option("--ip", storage_options.ip, "From this address, or from a range A-B, alone");
  verb->add_flag("--https-only", storage_options.https_only, "Over TLS alone");
}

}  // namespace holdfast::cli
