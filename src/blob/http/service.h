// The Blob REST endpoint: one table of operations, each with what it needs to be allowed.
#pragma once

#include "blob/blobs.h"
#include "blob/http/credentials.h"
#include "blob/http/endpoint.h"
#include "identity/accounts.h"
#include "net/http/router.h"

namespace holdfast::blob {

class PendingCopies;
class Sources;

struct ServiceOptions {
  TokenParts tokens;
  bool development = false;    // answers to wrong signatures hold the string that the server signed
  Sources* sources = nullptr;  // of copies from elsewhere; null: this server's blobs alone
  PendingCopies* copies = nullptr;  // those that go on; null where `sources` is
  Endpoint endpoint;                // by which clients know the service
};

// Mounts everything on one router, for the port of the blob service. All must outlive the router.
void mount(http::Router& router, Blobs& blobs, const identity::Accounts& accounts,
           const Clock& clock, ServiceOptions options = {});

// A router whose own errors have Azure's form.
http::Router make_router();

}  // namespace holdfast::blob
