#include "oci/reference.h"

#include <algorithm>

namespace holdfast::oci {
namespace {

bool is_small(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_component(std::string_view text) {
  if (text.empty() || !is_small(text.front()) || !is_small(text.back())) return false;
  for (size_t i = 0; i < text.size();) {
    if (is_small(text[i])) {
      ++i;
      continue;
    }
    const char sign = text[i];
    size_t run = 0;
    while (i < text.size() && text[i] == sign) ++run, ++i;
    const bool joins =
        (sign == '.' && run == 1) || (sign == '_' && run <= 2) || (sign == '-' && run >= 1);
    if (!joins || !is_small(text[i])) return false;
  }
  return true;
}

bool is_host(std::string_view first) {
  return first == "localhost" || first.find_first_of(".:") != std::string_view::npos;
}

// Host and port as they may stand before a name; what they lead to is not looked at.
bool well_formed_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && std::ranges::all_of(host, [](char c) {
    return is_small(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == ':' || c == '[' ||
           c == ']';
  });
}

}  // namespace

Result<void> check_name(std::string_view name) {
  const auto parts = split(name, '/');
  if (name.empty() || name.size() > 255 || !std::ranges::all_of(parts, is_component))
    return fail(Code::invalid_argument, "name_invalid",
                "'" + std::string(name.substr(0, 256)) +
                    "' is not the name of a repository: lower-case letters and digits, joined by "
                    "'.', '_', '__' or '-', in components of a path, 255 bytes at most");
  return {};
}

Result<void> check_tag(std::string_view tag) {
  const auto fits = [](char c) {
    return is_small(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
  };
  if (tag.empty() || tag.size() > 128 || tag.front() == '.' || tag.front() == '-' ||
      !std::ranges::all_of(tag, fits))
    return fail(Code::invalid_argument, "tag_invalid",
                "'" + std::string(tag.substr(0, 130)) +
                    "' is not a tag: 1 to 128 letters, digits, '_', '.' and '-', not '.' or '-' "
                    "first");
  return {};
}

Result<Reference> parse_reference(std::string_view text) {
  Reference reference;
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    TRY(reference.digest, Digest::parse(text.substr(at + 1)));
    text = text.substr(0, at);
  }
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos && is_host(text.substr(0, slash))) {
    reference.host = text.substr(0, slash);
    if (!well_formed_host(reference.host))
      return fail(Code::invalid_argument, "name_invalid",
                  "'" + reference.host + "' is not the host of a registry");
    text = text.substr(slash + 1);
  }
  // A colon after the last slash begins the tag; one before it would belong to a port.
  const size_t last = text.rfind('/');
  const size_t colon = text.find(':', last == std::string_view::npos ? 0 : last);
  if (colon != std::string_view::npos) {
    reference.tag = text.substr(colon + 1);
    TRY_VOID(check_tag(reference.tag));
    text = text.substr(0, colon);
  }
  TRY_VOID(check_name(text));
  reference.name = text;
  return reference;
}

std::string Reference::str() const {
  return (host.empty() ? "" : host + "/") + name + (tag.empty() ? "" : ":" + tag) +
         (digest.empty() ? "" : "@" + digest.str());
}

std::string Reference::manifest() const {
  if (!digest.empty()) return digest.str();
  return tag.empty() ? "latest" : tag;
}

}  // namespace holdfast::oci
