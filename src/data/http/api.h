// The routes of data assets on the hub's API, with Holdfast's JSON errors.
#pragma once

#include "data/assets.h"
#include "net/http/router.h"

namespace holdfast::data {

//   GET    /api/v1/data                                      {assets: [newest version of each]}
//   POST   /api/v1/data                                      {name, account, container, prefix?} →
//   version GET    /api/v1/data/{name}                               {versions: […]}, newest first
//   GET    /api/v1/data/{name}/versions/{version}            a number, or "latest"
//   GET    /api/v1/data/{name}/versions/{version}/files      {files: […], next}; ?after=, ?limit=
//   GET    /api/v1/data/{name}/versions/{version}/files/…    the bytes of one file
//   DELETE /api/v1/data/{name}/versions/{version}
// `assets` must outlive the router.
void mount(http::Router& router, Assets& assets);

}  // namespace holdfast::data
