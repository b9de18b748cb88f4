#include "transfer/place.h"

#include "base/bytes.h"
#include "net/http/address.h"

namespace holdfast::transfer {
namespace {

constexpr std::string_view kHub = "blob://";

std::unexpected<Error> wrong(const std::string& text) {
  return fail(Code::invalid_argument, "usage", text);
}

// The part before the first '/', which is taken off with it.
std::string take(std::string& path) {
  const size_t end = path.find('/');
  std::string first = path.substr(0, end);
  path = end == std::string::npos ? "" : path.substr(end + 1);
  return first;
}

// ACCOUNT.blob.DOMAIN is a name of one account; all else has the account in its path.
bool names_account(std::string_view host) {
  const auto labels = split(host, '.');
  return labels.size() > 2 && labels[1] == "blob";
}

Result<Place> from_url(const std::string& text) {
  TRY(const http::Url url, http::parse_url(text));
  Place place;
  place.kind = Place::Kind::url;
  const size_t mark = url.target.find('?');
  if (mark != std::string::npos) place.sas = url.target.substr(mark + 1);
  std::string path = url.target.substr(0, mark).substr(1);
  place.endpoint = (url.tls ? "https://" : "http://") + url.authority;
  if (names_account(url.host)) {
    place.account = url.host.substr(0, url.host.find('.'));
  } else {
    place.account = take(path);
    place.endpoint += "/" + place.account;
  }
  TRY(place.container, percent_decode(take(path)));
  TRY(place.blob, percent_decode(path));
  return place;
}

}  // namespace

Result<Place> parse_place(const std::string& text) {
  Place place;
  if (text.starts_with("http://") || text.starts_with("https://")) {
    auto parsed = from_url(text);
    if (!parsed)
      return wrong("the address is not one of a blob service: " + text.substr(0, text.find('?')));
    place = std::move(*parsed);
  } else if (text.starts_with(kHub)) {
    std::string path = text.substr(kHub.size());
    place.kind = Place::Kind::hub;
    place.account = take(path);
    place.container = take(path);
    place.blob = path;
  } else {
    if (text.empty()) return wrong("an empty path is no place");
    place.path = text;
    return place;
  }
  if (place.account.empty() || place.container.empty())
    return wrong("'" + to_string(place) +
                 "' names no container; write blob://ACCOUNT/CONTAINER/NAME or a URL");
  return place;
}

std::string to_string(const Place& place) {
  if (place.is_local()) return place.path;
  std::string out =
      place.kind == Place::Kind::hub ? std::string(kHub) + place.account : place.endpoint;
  if (!place.container.empty()) out += "/" + place.container;
  if (!place.blob.empty()) out += "/" + place.blob;
  return out;
}

}  // namespace holdfast::transfer
