#include "blob/http/service.h"

#include "base/digest.h"
#include "blob/http/address.h"
#include "blob/http/cors.h"
#include "blob/http/operations.h"
#include "identity/sas.h"

namespace holdfast::blob {
namespace {

constexpr std::string_view kVersion = "2021-12-02";  // answered to those who name none

// A date from 2009-09-19 on: clients are newer than any list of versions.
Result<void> check_version(const http::Request& request) {
  const auto version = request.headers.get("x-ms-version");
  if (!version ||
      (version->size() == 10 && parse_rfc3339(*version).has_value() && *version >= "2009-09-19"))
    return {};
  return fail(Code::invalid_argument, "invalid_header",
              "x-ms-version must be a date from 2009-09-19 on");
}

// Headers that change what a request means. Ignoring one of these would break a promise; others
// that are not known are ignored.
Result<void> check_meaning(const http::Request& request, const Operation& operation) {
  if (operation.level != 'o' && request.headers.get("x-ms-if-tags"))
    return fail(Code::unsupported, "the header x-ms-if-tags is for blobs alone");
  if (operation.level == 'o' && !knows_history(operation) &&
      (request.query_value("snapshot") || request.query_value("versionid")))
    return fail(Code::invalid_argument, "invalid_query",
                std::string(operation.name) +
                    " is about the blob itself; it takes no snapshot and "
                    "no versionid");
  static constexpr std::string_view refused[] = {"x-ms-encryption-key", "x-ms-encryption-scope",
                                                 "x-ms-structured-body"};
  for (std::string_view name : refused) {
    if (request.headers.get(name))
      return fail(Code::unsupported, "the header " + std::string(name) + " is not offered");
  }
  return {};
}

// A version, and what is kept of a deletion, are deleted with letters of their own.
char permission_of(const http::Request& request, const Operation& operation) {
  if (operation.run != delete_blob) return operation.permission;
  if (request.query_value("deletetype")) return 'y';
  return request.query_value("versionid") ? 'x' : operation.permission;
}

struct Service {
  Service(Blobs& blobs_, const identity::Accounts& accounts_, const Clock& clock_)
      : blobs(blobs_), accounts(accounts_), clock(clock_) {}
  Blobs& blobs;
  const identity::Accounts& accounts;
  const Clock& clock;

  // Whether the container's public access lets anyone do this.
  Task<Result<bool>> open_to_anyone(const Call& call, const Operation& operation) const {
    if (operation.anyone == 0 || !accounts.find(call.address.account)) co_return false;
    const auto there = co_await blobs.container(call.address.account, call.address.container);
    if (!there && there.error().code() != Code::not_found) co_return std::unexpected(there.error());
    co_return there &&
        (there->access == "container" || (there->access == "blob" && operation.anyone == 'b'));
  }

  // What the SAS leaves to the stored access policy that it names.
  Task<Result<std::optional<identity::StoredPolicy>>> stored_policy(const Call& call) const {
    const std::string_view id = call.request.query_value("si").value_or("");
    if (id.empty() || call.address.container.empty()) co_return std::nullopt;
    const auto access = co_await blobs.container_access(call.address.account,
                                                        call.address.container, std::string());
    if (!access && access.error().code() != Code::not_found)
      co_return std::unexpected(access.error());
    if (!access) co_return std::nullopt;
    for (const Policy& policy : access->policies) {
      if (policy.id == id)
        co_return identity::StoredPolicy(policy.permissions, policy.start, policy.expiry);
    }
    co_return std::nullopt;
  }

  // Fills in what the credential says about the call.
  Task<Result<void>> authorize(Call& call, const Operation& operation) const {
    const http::Request& request = call.request;
    const bool sas = identity::has_sas(request) && !request.headers.get("Authorization");
    const bool asks_of_tags = request.headers.get("x-ms-if-tags").has_value();
    if (!sas && !request.headers.get("Authorization")) {
      CO_TRY(const bool open, co_await open_to_anyone(call, operation));
      if (open && !asks_of_tags) co_return Result<void>();
      co_return fail(Code::unauthenticated, "missing_authorization",
                     "Server failed to authenticate the request. There is no Authorization header "
                     "and no shared access signature.");
    }
    auto account = accounts.find(call.address.account);
    // An unknown account is not told from a wrong key.
    if (!account)
      co_return fail(
          Code::denied, "authentication_failed",
          "there is no account '" + call.address.account + "', or the signature is not its own");
    call.by_key = !sas;
    if (!sas) co_return verify_key(call.request, call.address.account, (*account)->keys, clock);
    identity::Wanted wanted;
    wanted.permission = permission_of(request, operation);
    wanted.alternative = std::string(operation.or_else);
    wanted.resource = operation.level;
    wanted.container = call.address.container;
    wanted.blob = call.address.blob;
    wanted.key_only =
        operation.run == get_container_access || operation.run == set_container_access;
    CO_TRY(wanted.policy, co_await stored_policy(call));
    CO_TRY(identity::SasGrant grant,
           identity::verify_sas(request, call.address.account, (*account)->keys, wanted, clock));
    // A blob's own signature is not one of its past.
    if (request.query_value("sr") == "b" && request.query_value("versionid"))
      co_return fail(Code::denied, "sas_resource", "sr=b does not open a version of the blob");
    // An answer to a condition tells of the tags.
    if (asks_of_tags && grant.permissions.find('t') == std::string::npos)
      co_return fail(Code::denied, "sas_permission", "x-ms-if-tags needs the permission 't'");
    // 'c' alone makes new blobs; only 'w' overwrites.
    call.create_only = operation.level == 'o' && operation.permission == 'w' &&
                       grant.permissions.find('w') == std::string::npos;
    call.overrides = std::move(grant.overrides);
    co_return Result<void>();
  }

  // The account's key opens all that is the account's; else the source's own address must.
  Task<Result<void>> may_read_source(const Call& call, Call& source) const {
    CO_TRY(const Operation* read, find_operation(source.request, source.address));
    if (read->run != get_blob)
      co_return fail(Code::invalid_argument, "invalid_header",
                     "x-ms-copy-source must be the address of a blob");
    if (call.by_key && call.address.account == source.address.account &&
        !identity::has_sas(source.request))
      co_return Result<void>();
    co_return co_await authorize(source, *read);
  }

  Task<Result<http::Response>> run(http::Request& request) const {
    CO_TRY(Address address, address_of(request));
    if (request.method == "OPTIONS") {
      CO_TRY(const std::string document, co_await properties_of(address.account));
      co_return preflight(document, request);
    }
    if (is_secondary(request) && request.method != "GET" && request.method != "HEAD")
      co_return fail(Code::denied, "secondary_is_read_only",
                     "Write operations are not allowed at a secondary address.");
    const std::string account = request.headers.get("Origin") ? address.account : std::string();
    auto outcome = co_await run_at(request, std::move(address));
    if (account.empty()) co_return outcome;
    // An error is for the page to see as well.
    http::Response response = outcome ? std::move(*outcome) : xml_error(outcome.error(), request);
    CO_TRY(const std::string document, co_await properties_of(account));
    add_cors(document, request, response);
    co_return response;
  }

  Task<Result<std::string>> properties_of(std::string account) const {
    if (!accounts.find(account)) co_return std::string();
    co_return co_await blobs.service_properties(account);
  }

  Task<Result<http::Response>> run_at(http::Request& request, Address address) const {
    CO_TRY_VOID(check_version(request));
    CO_TRY(const Operation* operation, find_operation(request, address));
    Call call(request, std::move(address), blobs);
    CO_TRY_VOID(co_await authorize(call, *operation));
    CO_TRY_VOID(check_meaning(request, *operation));
    call.may_read_source = [this, &call](Call& source) { return may_read_source(call, source); };
    call.answer_part = [this](http::Request& part, Address at) {
      return answer_part(part, std::move(at));
    };
    co_return co_await operation->run(call);
  }

  Task<Result<http::Response>> answer(http::Request& request) const {
    auto outcome = co_await run(request);
    co_return complete(std::move(outcome), request);
  }

  Task<http::Response> answer_part(http::Request& request, Address address) const {
    auto outcome = co_await run_at(request, std::move(address));
    co_return complete(std::move(outcome), request);
  }

  static http::Response complete(Result<http::Response> outcome, const http::Request& request) {
    http::Response response = outcome ? std::move(*outcome) : xml_error(outcome.error(), request);
    response.header("x-ms-request-id", request.id);
    response.header("x-ms-version", std::string(request.headers.get_or("x-ms-version", kVersion)));
    if (const auto id = request.headers.get("x-ms-client-request-id"); id && id->size() <= 1024)
      response.header("x-ms-client-request-id", std::string(*id));
    return response;
  }
};

}  // namespace

http::Router make_router() {
  return http::Router(xml_error);
}

void mount(http::Router& router, Blobs& blobs, const identity::Accounts& accounts,
           const Clock& clock) {
  auto service = std::make_shared<Service>(blobs, accounts, clock);
  router.add("*", "/{address...}", http::Role::own,
             [service](http::Request& request) { return service->answer(request); });
}

}  // namespace holdfast::blob
