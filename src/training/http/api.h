// The routes of registered models and triggers on the hub's API, with Holdfast's JSON errors.
#pragma once

#include "net/http/router.h"
#include "training/trace.h"
#include "training/triggers.h"

namespace holdfast::training {

//   GET    /api/v1/models                                  {models: […]}: the newest version of
//   each GET    /api/v1/models/{name}                           {versions: […]}, newest first;
//   ?limit= (100) GET    /api/v1/models/{name}/versions/{version}        trace; a number, latest or
//   @alias GET    /api/v1/trace/{digest}                          trace; of an image, its layer or
//   its model GET    /api/v1/triggers                                {triggers: […]} PUT
//   /api/v1/triggers                                {yaml, job?, code?} → trigger GET
//   /api/v1/triggers/{name} DELETE /api/v1/triggers/{name} POST   /api/v1/triggers/{name}/run →
//   firing GET    /api/v1/firings                                 {firings: […]}, newest first;
//   ?trigger= ?limit=
// All must outlive the router.
void mount(http::Router& router, TraceParts parts, Triggers& triggers);

}  // namespace holdfast::training
