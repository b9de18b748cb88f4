#include "blob/http/service.h"

#include "base/digest.h"
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
Result<void> check_meaning(const http::Request& request, const Address& address) {
  static constexpr std::string_view refused[] = {"x-ms-if-tags", "x-ms-encryption-key",
                                                 "x-ms-encryption-scope", "x-ms-structured-body"};
  for (std::string_view name : refused) {
    if (request.headers.get(name))
      return fail(Code::unsupported, "the header " + std::string(name) + " is not offered");
  }
  if (request.headers.get("x-ms-lease-id")) {
    return fail(Code::precondition_failed,
                address.blob.empty() ? "container_not_leased" : "blob_not_leased",
                "There is currently no lease on the " +
                    std::string(address.blob.empty() ? "container." : "blob."));
  }
  return {};
}

struct Service {
  Service(Blobs& blobs_, const identity::Accounts& accounts_, const Clock& clock_)
      : blobs(blobs_), accounts(accounts_), clock(clock_) {}
  Blobs& blobs;
  const identity::Accounts& accounts;
  const Clock& clock;

  // Fills in what the credential says about the call.
  Result<void> authorize(Call& call, const Operation& operation) const {
    const http::Request& request = call.request;
    const bool sas = identity::has_sas(request) && !request.headers.get("Authorization");
    if (!sas && !request.headers.get("Authorization"))
      return fail(Code::unauthenticated, "missing_authorization",
                  "Server failed to authenticate the request. There is no Authorization header "
                  "and no shared access signature.");
    auto account = accounts.find(call.address.account);
    // An unknown account is not told from a wrong key.
    if (!account)
      return fail(
          Code::denied, "authentication_failed",
          "there is no account '" + call.address.account + "', or the signature is not its own");
    if (!sas)
      return identity::verify_shared_key(request, call.address.account, (*account)->keys, clock);
    identity::Wanted wanted;
    wanted.permission = operation.permission;
    wanted.alternative = std::string(operation.or_else);
    wanted.resource = operation.level;
    wanted.container = call.address.container;
    wanted.blob = call.address.blob;
    TRY(identity::SasGrant grant,
        identity::verify_sas(request, call.address.account, (*account)->keys, wanted, clock));
    // 'c' alone makes new blobs; only 'w' overwrites.
    call.create_only = operation.level == 'o' && operation.permission == 'w' &&
                       grant.permissions.find('w') == std::string::npos;
    call.overrides = std::move(grant.overrides);
    return {};
  }

  Task<Result<http::Response>> run(http::Request& request) const {
    CO_TRY(Address address, address_of(request));
    CO_TRY_VOID(check_version(request));
    CO_TRY(const Operation* operation, find_operation(request, address));
    Call call(request, std::move(address), blobs);
    CO_TRY_VOID(authorize(call, *operation));
    CO_TRY_VOID(check_meaning(request, call.address));
    co_return co_await operation->run(call);
  }

  Task<Result<http::Response>> answer(http::Request& request) const {
    auto outcome = co_await run(request);
    http::Response response = outcome ? std::move(*outcome) : xml_error(outcome.error(), request);
    response.header("x-ms-request-id", request.id);
    response.header("x-ms-version", std::string(request.headers.get_or("x-ms-version", kVersion)));
    if (const auto id = request.headers.get("x-ms-client-request-id"); id && id->size() <= 1024)
      response.header("x-ms-client-request-id", std::string(*id));
    co_return response;
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
