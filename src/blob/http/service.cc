#include "blob/http/service.h"

#include <algorithm>

#include "base/cores.h"
#include "blob/feed/records.h"
#include "blob/http/address.h"
#include "blob/http/cors.h"
#include "blob/http/operations.h"

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

struct Service {
  Service(Blobs& blobs_, const identity::Accounts& accounts_, const Clock& clock,
          ServiceOptions options)
      : blobs(blobs_),
        accounts(accounts_),
        sources(options.sources),
        copies(options.copies),
        endpoint(std::move(options.endpoint)),
        credentials(blobs_, accounts_, clock, std::move(options.tokens), options.development,
                    endpoint.path()) {}
  Blobs& blobs;
  const identity::Accounts& accounts;
  Sources* sources;
  PendingCopies* copies;
  const Endpoint endpoint;
  const Credentials credentials;
  mutable BlockingPool hashing{"md5", std::min(usable_cores(), 8u)};

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
    CO_TRY_VOID(co_await credentials.authorize(call, *operation));
    if (call.address.container == feed::kContainer && request.method != "GET" &&
        request.method != "HEAD")
      co_return fail(Code::denied, "change_feed_is_read_only",
                     "The change feed is written by the server alone.");
    CO_TRY_VOID(check_meaning(request, *operation));
    call.sources = sources;
    call.copies = copies;
    call.endpoint = &endpoint;
    call.hashing = &hashing;
    call.may_read_source = [this, &call](Call& source) {
      return credentials.may_read_source(call, source);
    };
    call.answer_part = [this](http::Request& part, Address at) {
      return answer_part(part, std::move(at));
    };
    co_return co_await operation->run(call);
  }

  Task<Result<http::Response>> answer(http::Request& request) const {
    endpoint.arrive(request);
    auto outcome = co_await run(request);
    co_return complete(std::move(outcome), request);
  }

  // Reads of what is at hand, as most requests are. nullopt: it would have to wait.
  std::optional<Result<http::Response>> answer_now(http::Request& request) const {
    if (request.method != "GET" || request.headers.get("Origin") || !endpoint.is_direct(request))
      return std::nullopt;
    auto outcome = run_now(request);
    if (!outcome) return std::nullopt;
    return complete(*std::move(outcome), request);
  }

  std::optional<Result<http::Response>> run_now(http::Request& request) const {
    TRY(Address address, address_of(request));
    TRY_VOID(check_version(request));
    TRY(const Operation* operation, find_operation(request, address));
    if (operation->run != get_blob) return std::nullopt;
    Call call(request, std::move(address), blobs);
    auto authorized = credentials.authorize_now(call, *operation);
    if (!authorized) return std::nullopt;
    TRY_VOID(*std::move(authorized));
    TRY_VOID(check_meaning(request, *operation));
    return get_blob_now(call);
  }

  Task<http::Response> answer_part(http::Request& request, Address address) const {
    auto outcome = co_await run_at(request, std::move(address));
    co_return complete(std::move(outcome), request);
  }

  http::Response complete(Result<http::Response> outcome, const http::Request& request) const {
    http::Response response = outcome ? std::move(*outcome) : xml_error(outcome.error(), request);
    if (response.status == 401 && request.tls)
      response.header("WWW-Authenticate", credentials.challenge());
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
           const Clock& clock, ServiceOptions options) {
  auto service = std::make_shared<Service>(blobs, accounts, clock, std::move(options));
  router.add(
      "*", "/{address...}", http::Role::own,
      [service](http::Request& request) { return service->answer(request); },
      [service](http::Request& request, std::string_view) { return service->answer_now(request); });
}

}  // namespace holdfast::blob
