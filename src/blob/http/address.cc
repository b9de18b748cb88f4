#include "blob/http/address.h"

#include <algorithm>

#include "identity/accounts.h"

namespace holdfast::blob {
namespace {

constexpr std::string_view kSecondary = "-secondary";

std::string without_mark(std::string account) {
  if (account.ends_with(kSecondary)) account.resize(account.size() - kSecondary.size());
  return account;
}

// "" where the host has another form.
std::string account_of_host(const http::Request& request) {
  const std::string_view host = request.headers.get_or("Host", "");
  const size_t dot = host.find('.');
  if (dot == std::string_view::npos || !host.substr(dot).starts_with(".blob.")) return {};
  std::string label = lower(host.substr(0, dot));
  return identity::check_account_name(without_mark(label)) ? label : std::string();
}

Result<std::string> decoded(std::string_view part) {
  auto text = percent_decode(part);
  if (!text || text->find('\0') != std::string::npos)
    return fail(Code::invalid_argument, "invalid_uri", "the address holds a broken %-escape");
  return text;
}

// The first segment of the path as it was sent, and what is after it.
std::pair<std::string_view, std::string_view> first_segment(std::string_view path) {
  const size_t slash = path.find('/', 1);
  return {path.substr(1, slash == std::string_view::npos ? slash : slash - 1),
          slash == std::string_view::npos ? "/" : path.substr(slash)};
}

}  // namespace

bool by_host(const http::Request& request) {
  return !account_of_host(request).empty();
}

bool is_secondary(const http::Request& request) {
  const std::string host = account_of_host(request);
  return host.empty() ? first_segment(request.path).first.ends_with(kSecondary)
                      : host.ends_with(kSecondary);
}

bool same_server(const http::Request& request, std::string_view host) {
  const std::string own = lower(request.headers.get_or("Host", ""));
  if (host == own) return true;
  http::Request other;
  other.headers.set("Host", std::string(host));
  return by_host(request) && by_host(other) &&
         host.substr(host.find('.')) == std::string_view(own).substr(own.find('.'));
}

Result<Address> address_of(const http::Request& request) {
  std::string_view path = std::string_view(request.path).substr(1);
  Address address;
  const auto next = [&]() -> Result<std::string> {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    return decoded(part);
  };
  address.account = account_of_host(request);
  if (address.account.empty()) {
    TRY(address.account, next());
  }
  TRY(address.container, next());
  TRY(address.blob, decoded(path));
  std::replace(address.blob.begin(), address.blob.end(), '\\', '/');
  if (address.account.empty())
    return fail(Code::invalid_argument, "invalid_uri", "the address must begin /ACCOUNT/");
  address.account = without_mark(std::move(address.account));
  return address;
}

Result<void> verify_key(http::Request& request, const std::string& account,
                        const identity::KeyPair& keys, const Clock& clock,
                        const std::string& outside) {
  const auto verify = [&]() -> Result<void> {
    auto verified = identity::verify_shared_key(request, account, keys, clock);
    // Clients of a secondary address may take its name for the account's.
    if (!verified && is_secondary(request) &&
        identity::verify_shared_key(request, account + std::string(kSecondary), keys, clock))
      return {};
    return verified;
  };
  const auto verified = verify();
  if (verified || verified.error().reason() != identity::kSignatureMismatch) return verified;
  const bool host = by_host(request);
  const std::string sent = request.path,
                    bare(host ? std::string_view(sent) : first_segment(sent).second);
  for (const std::string& path : {bare, "/" + account + bare, outside + sent}) {
    request.path = path;
    const bool right = path != sent && verify();
    request.path = sent;
    if (right) return {};
  }
  return verified;
}

}  // namespace holdfast::blob
