// How a request names its account beyond the path, and what of that a client may have signed.
#pragma once

#include "blob/http/call.h"
#include "identity/shared_key.h"

namespace holdfast::blob {

// Whether the account is the first label of the host, ACCOUNT.blob.DOMAIN.
bool by_host(const http::Request& request);
// Whether it is addressed as ACCOUNT-secondary, which is for reading alone.
bool is_secondary(const http::Request& request);
// Whether `host` (HOST[:PORT], lower case) is this server as the request knows it: by the same
// name, or as another account of it.
bool same_server(const http::Request& request, std::string_view host);

// SharedKey over the path as it was sent, with the account before it, or without it; by either name
// of the account; or below `outside`, the path of the endpoint. The failures of
// identity::verify_shared_key, for the path as it was sent.
Result<void> verify_key(http::Request& request, const std::string& account,
                        const identity::KeyPair& keys, const Clock& clock,
                        const std::string& outside);

}  // namespace holdfast::blob
