// What the hub offers to those who want a token: applications and their secrets, and the endpoints
// of OAuth 2.0 (RFC 6749) from which a client gets a token for its own.
#pragma once

#include "identity/delegation_keys.h"

namespace holdfast::identity {

// GET and POST /api/v1/identity/applications, DELETE …/{id}; POST /api/v1/storage/accounts/{name}/
// delegation-keys/revoke, which is for all of the account's: for admins. All must outlive it.
void mount_applications(http::Router& router, Applications& applications,
                        DelegationKeys& delegation, const TokenIssuer& issuer);

// Below /{tenant}/, as the clients of Azure look for them: the OpenID configuration and the token
// endpoint, with the grant client_credentials alone; over TLS only. All must outlive the router.
void mount_oauth(http::Router& router, const Applications& applications, const TokenIssuer& issuer,
                 const Clock& clock);

}  // namespace holdfast::identity
