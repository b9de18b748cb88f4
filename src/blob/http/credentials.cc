#include "blob/http/credentials.h"

#include "blob/http/address.h"

namespace holdfast::blob {
namespace {

// What tokens are for, in the challenge; clients ask for it under this name.
constexpr std::string_view kResource = "https://storage.azure.com";

std::string_view authorization_of(const http::Request& request) {
  return request.headers.get_or("Authorization", "");
}

bool has_scheme(std::string_view header, std::string_view scheme) {
  return equal_ignore_case(header.substr(0, header.find(' ')), scheme);
}

// Headers that a signature must permit beside the operation itself. An answer to a condition tells
// of the tags.
constexpr std::pair<const char*, char> kOwnPermissions[] = {
    {"x-ms-if-tags", 't'},
    {"x-ms-immutability-policy-mode", 'i'},
    {"x-ms-immutability-policy-until-date", 'i'},
    {"x-ms-legal-hold", 'i'}};

Result<void> permit_headers(std::string_view permissions, const http::Request& request) {
  for (const auto& [header, letter] : kOwnPermissions) {
    if (request.headers.get(header) && permissions.find(letter) == std::string_view::npos)
      return fail(Code::denied, "sas_permission",
                  std::string(header) + " needs the permission '" + letter + "'");
  }
  return {};
}

// A version, and what is kept of a deletion, are deleted with letters of their own.
char permission_of(const http::Request& request, const Operation& operation) {
  if (operation.run != delete_blob) return operation.permission;
  if (request.query_value("deletetype")) return 'y';
  return request.query_value("versionid") ? 'x' : operation.permission;
}

bool key_only(const Operation& operation) {
  return operation.run == get_container_access || operation.run == set_container_access;
}

// Whether it may make a blob, but not overwrite one: 'c' alone makes new blobs.
bool only_creates(const Operation& operation, std::string_view permissions) {
  return operation.level == 'o' && operation.permission == 'w' &&
         permissions.find('w') == std::string_view::npos;
}

// Whether a role with these letters may do it. What is the service's own is for owners, except the
// list of its containers and what its address alone tells.
Result<void> permit(std::string_view permissions, const http::Request& request,
                    const Operation& operation) {
  const bool owner = permissions.find('o') != std::string_view::npos;
  const char letter = permission_of(request, operation);
  const bool of_service = operation.level == 's' && operation.restype == "service" &&
                          operation.run != get_user_delegation_key;
  std::string tags;
  if (request.headers.get("x-ms-if-tags") || request.headers.get("x-ms-tags")) tags = "t";
  const bool permitted = !key_only(operation) && (!of_service || owner) &&
                         (letter == 0 || permissions.find(letter) != std::string_view::npos) &&
                         (tags.empty() || permissions.find('t') != std::string_view::npos);
  if (permitted) return permit_headers(permissions, request);
  return fail(Code::denied, "sas_permission",
              "This request is not authorized to perform this operation using this permission: "
              "the role of the token does not permit " +
                  std::string(operation.name));
}

// What a request proves with that it may.
enum class Means { none, header, sas };
Means means_of(const http::Request& request) {
  const bool header = request.headers.get("Authorization").has_value();
  // Such a signature is for one user alone, who proves it with a token.
  const bool for_one = request.query_value("sduoid").has_value();
  if (identity::has_sas(request) && (!header || for_one)) return Means::sas;
  return header ? Means::header : Means::none;
}

bool names_policy(const Call& call) {
  return !call.request.query_value("si").value_or("").empty() && !call.address.container.empty();
}

}  // namespace

std::string Credentials::challenge() const {
  if (tokens_.issuer == nullptr || tokens_.authority.empty()) return "Bearer";
  return "Bearer authorization_uri=" + tokens_.authority + "/" + tokens_.issuer->tenant() +
         "/oauth2/authorize resource_id=" + std::string(kResource);
}

Error Credentials::told(Error error) const {
  if (development_ || error.reason() != identity::kSignatureMismatch) return error;
  return {error.code(), error.reason(),
          "The signature is not the one that this server computes. In development mode the answer "
          "holds the string that the server signed."};
}

Task<Result<bool>> Credentials::open_to_anyone(const Call& call, const Operation& operation) const {
  if (operation.anyone == 0 || !accounts_.find(call.address.account)) co_return false;
  const auto there = co_await blobs_.container(call.address.account, call.address.container);
  if (!there && there.error().code() != Code::not_found) co_return std::unexpected(there.error());
  co_return there &&
      (there->access == "container" || (there->access == "blob" && operation.anyone == 'b'));
}

// What the SAS leaves to the stored access policy that it names.
Task<Result<std::optional<identity::StoredPolicy>>> Credentials::stored_policy(
    const Call& call) const {
  if (!names_policy(call)) co_return std::nullopt;
  const std::string_view id = *call.request.query_value("si");
  const auto access =
      co_await blobs_.container_access(call.address.account, call.address.container, std::string());
  if (!access && access.error().code() != Code::not_found)
    co_return std::unexpected(access.error());
  if (!access) co_return std::nullopt;
  for (const Policy& policy : access->policies) {
    if (policy.id == id)
      co_return identity::StoredPolicy(policy.permissions, policy.start, policy.expiry);
  }
  co_return std::nullopt;
}

Result<std::shared_ptr<const identity::StorageAccount>> Credentials::account_of(
    const Call& call) const {
  if (auto account = accounts_.find(call.address.account)) return *std::move(account);
  // An unknown account is not told from a wrong key.
  return fail(
      Code::denied, "authentication_failed",
      "there is no account '" + call.address.account + "', or the signature is not its own");
}

std::optional<Result<void>> Credentials::authorize_now(Call& call,
                                                       const Operation& operation) const {
  const Means means = means_of(call.request);
  if (means == Means::none) return std::nullopt;  // the container may be open to anyone
  TRY(const auto account, account_of(call));
  if (means == Means::header) {
    if (operation.run == get_user_delegation_key) return std::nullopt;
    return by_header(call, operation, *account);
  }
  if (names_policy(call)) return std::nullopt;
  return by_sas(call, operation, *account, std::nullopt);
}

Task<Result<void>> Credentials::authorize(Call& call, const Operation& operation) const {
  if (auto done = authorize_now(call, operation)) co_return *std::move(done);
  const Means means = means_of(call.request);
  if (means == Means::none) {
    CO_TRY(const bool open, co_await open_to_anyone(call, operation));
    if (open && !call.request.headers.get("x-ms-if-tags")) co_return Result<void>();
    co_return fail(Code::unauthenticated, "missing_authorization",
                   "Server failed to authenticate the request. There is no Authorization header "
                   "and no shared access signature.");
  }
  CO_TRY(const auto account, account_of(call));
  if (means == Means::header) {
    CO_TRY_VOID(co_await remember(call.request));
    co_return by_header(call, operation, *account);
  }
  CO_TRY(auto policy, co_await stored_policy(call));
  co_return by_sas(call, operation, *account, std::move(policy));
}

// The id of a token's subject is to be known without the token, when its key is used.
Task<Result<void>> Credentials::remember(const http::Request& request) const {
  if (!has_scheme(authorization_of(request), "Bearer") || !caller_of(request))
    co_return Result<void>();
  auto claims = tokens_.issuer->verify(trim(authorization_of(request).substr(6)));
  if (!claims) co_return Result<void>();
  co_return co_await tokens_.applications->remember(std::move(*claims));
}

Result<void> Credentials::by_header(Call& call, const Operation& operation,
                                    const identity::StorageAccount& account) const {
  if (has_scheme(authorization_of(call.request), "Bearer")) return by_token(call, operation);
  call.by_key = true;
  auto verified = verify_key(call.request, account.name, account.keys, clock_, outside_);
  if (!verified) return std::unexpected(told(std::move(verified).error()));
  return verified;
}

Result<identity::BlobCaller> Credentials::caller_of(const http::Request& request) const {
  if (!has_scheme(authorization_of(request), "Bearer"))
    return fail(Code::unauthenticated, "missing_authorization", "there is no bearer token");
  if (!request.tls || tokens_.issuer == nullptr)
    return fail(Code::denied, "authentication_failed",
                "Authentication scheme Bearer is only supported over HTTPS.");
  const auto claims = tokens_.issuer->verify(trim(authorization_of(request).substr(6)));
  if (!claims) return fail(Code::unauthenticated, "invalid_token", claims.error().message());
  return tokens_.applications->caller(*claims);
}

Result<void> Credentials::by_token(Call& call, const Operation& operation) const {
  const http::Request& request = call.request;
  auto caller = caller_of(request);
  if (!caller && caller.error().reason() != "role") return std::unexpected(caller.error());
  if (!caller || !caller->reaches(call.address.account))
    return fail(Code::denied, "sas_permission",
                "This request is not authorized to perform this operation: the token's role is for "
                "something else");
  TRY_VOID(permit(caller->permissions, request, operation));
  call.create_only = only_creates(operation, caller->permissions);
  if (tokens_.delegation != nullptr) {
    call.make_delegation_key = [keys = tokens_.delegation,
                                account = call.address.account](identity::DelegationKey& key) {
      key.tid = keys->tenant();
      return keys->make(account, key);
    };
  }
  call.caller = std::make_shared<const identity::BlobCaller>(std::move(*caller));
  return {};
}

Result<void> Credentials::by_sas(Call& call, const Operation& operation,
                                 const identity::StorageAccount& account,
                                 std::optional<identity::StoredPolicy> policy) const {
  const http::Request& request = call.request;
  identity::Wanted wanted;
  wanted.permission = permission_of(request, operation);
  wanted.alternative = std::string(operation.or_else);
  wanted.resource = operation.level;
  wanted.container = call.address.container;
  wanted.blob = call.address.blob;
  wanted.key_only = key_only(operation);
  if (request.query_value("skoid") && tokens_.delegation != nullptr) {
    TRY(wanted.delegated, tokens_.delegation->find(account.name, request));
    if (const auto user = request.query_value("sduoid")) {
      const auto caller = caller_of(request);
      const std::string_view tenant = request.query_value("skdutid").value_or("");
      if (!caller || caller->id != *user ||
          (!tenant.empty() && tenant != tokens_.delegation->tenant()))
        return fail(Code::denied, "authentication_failed",
                    "this signature is for the user in sduoid, who sends a token beside it");
    }
  }
  wanted.policy = std::move(policy);
  auto verified = identity::verify_sas(request, account.name, account.keys, wanted, clock_);
  if (!verified) return std::unexpected(told(std::move(verified).error()));
  identity::SasGrant& grant = *verified;
  // A blob's own signature is not one of its past.
  if (request.query_value("sr") == "b" && request.query_value("versionid"))
    return fail(Code::denied, "sas_resource", "sr=b does not open a version of the blob");
  TRY_VOID(permit_headers(grant.permissions, request));
  call.create_only = only_creates(operation, grant.permissions);
  call.overrides = std::move(grant.overrides);
  return {};
}

Task<Result<void>> Credentials::may_read_source(const Call& call, Call& source) const {
  CO_TRY(const Operation* read, find_operation(source.request, source.address));
  if (read->run != get_blob)
    co_return fail(Code::invalid_argument, "invalid_header",
                   "x-ms-copy-source must be the address of a blob");
  const bool bare = !identity::has_sas(source.request);
  if (bare && call.by_key && call.address.account == source.address.account)
    co_return Result<void>();
  // A token opens what its role does, in whichever account.
  if (bare && call.caller && call.caller->reaches(source.address.account) &&
      accounts_.find(source.address.account))
    co_return permit(call.caller->permissions, source.request, *read);
  co_return co_await authorize(source, *read);
}

}  // namespace holdfast::blob
