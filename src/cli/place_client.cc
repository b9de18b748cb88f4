#include "cli/place_client.h"

#include "identity/sas.h"

namespace holdfast::cli {
namespace {

constexpr auto kCopyTime = std::chrono::hours(24);  // for the largest copy

std::string origin(const std::string& url) {
  const size_t host = url.find("://");
  return url.substr(0, url.find('/', host == std::string::npos ? 0 : host + 3));
}

}  // namespace

std::function<std::string(const std::string& blob)> PlaceClient::url_for(const PlaceClient& target,
                                                                         WallTime now) const {
  const auto at = client;
  const std::string name = account, in = container, signature = sas;
  if (key.empty()) {
    return [at, in, signature](const std::string& blob) {
      return at.url_of(in, blob) + (signature.empty() ? "" : "?" + signature);
    };
  }
  const bool same = origin(client.url_of("", "")) == origin(target.client.url_of("", ""));
  const std::string raw = from_base64(key).value_or("");
  return [at, name, in, raw, same, now](const std::string& blob) -> std::string {
    if (!same) return "";
    identity::SasRequest request;
    request.permissions = "r";
    request.expiry = now + kCopyTime;
    request.container = in;
    request.blob = blob;
    return at.url_of(in, blob) + "?" + identity::make_sas(name, raw, request);
  };
}

Task<Result<PlaceClient>> open_place(Context& context, transfer::Place place) {
  blob_client::Endpoint endpoint;
  endpoint.account = place.account;
  endpoint.sas = place.sas;
  endpoint.url = place.endpoint;
  bool keyed = place.kind == transfer::Place::Kind::hub;
  if (keyed) {
    CO_TRY(const std::string url, co_await context.blob_url());
    endpoint.url = url + "/" + place.account;
  } else if (place.sas.empty()) {
    // Whether it is the hub's is asked only where there is a hub to ask.
    const auto hub = co_await context.blob_url();
    keyed = hub && place.endpoint == *hub + "/" + place.account;
  }
  if (keyed) {
    CO_TRY(endpoint.key, co_await context.account_key(place.account));
  }
  endpoint.anonymous = endpoint.key.empty() && endpoint.sas.empty();
  std::string key = endpoint.key;
  CO_TRY(auto client, blob_client::BlobClient::open(context.http(), context.clock(),
                                                    std::move(endpoint), context.blob_options()));
  PlaceClient out(std::move(client));
  out.account = place.account;
  out.container = place.container;
  out.key = std::move(key);
  out.sas = place.sas;
  co_return out;
}

}  // namespace holdfast::cli
