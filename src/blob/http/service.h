// The Blob REST endpoint: one table of operations, each with what it needs to be allowed.
#pragma once

#include "blob/blobs.h"
#include "blob/http/credentials.h"
#include "identity/accounts.h"
#include "net/http/router.h"

namespace holdfast::blob {

// Mounts everything on one router, for the port of the blob service. All must outlive the router.
// `development`: an answer to a wrong signature holds the string that the server signed.
void mount(http::Router& router, Blobs& blobs, const identity::Accounts& accounts,
           const Clock& clock, TokenParts tokens = {}, bool development = false);

// A router whose own errors have Azure's form.
http::Router make_router();

}  // namespace holdfast::blob
