// Azure Storage's SharedKey signature (Authorization: SharedKey ACCOUNT:SIGNATURE). Pure functions,
// any thread. Source: "Authorize with Shared Key", Azure Storage REST; the form of service versions
// from 2015-02-21 on.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/http/message.h"

namespace holdfast::identity {

// The two keys of an account, decoded (64 raw bytes each); either may sign.
using KeyPair = std::array<std::string, 2>;

// What is signed, header names in the order of the service. The resource line is "/ACCOUNT" and the
// raw URL path, so a path-style address names the account twice.
std::string shared_key_text(const http::Request& request, std::string_view account);

// base64(HMAC-SHA256(key, text)).
std::string sign(std::string_view key, std::string_view text);

// The Authorization header's value for a request that is about to be sent; x-ms-date must be set.
std::string shared_key_header(const http::Request& request, std::string_view account,
                              std::string_view key);

// The reason of a failure whose message holds what the service signed, as Azure's does.
inline constexpr std::string_view kSignatureMismatch = "signature_mismatch";

// unauthenticated "missing_authorization": no header; denied "authentication_failed": wrong scheme,
// account, or a date more than 15 minutes off; kSignatureMismatch.
Result<void> verify_shared_key(const http::Request& request, std::string_view account,
                               const KeyPair& keys, const Clock& clock);

}  // namespace holdfast::identity
