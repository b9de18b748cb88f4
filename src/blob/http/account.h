// What is asked of an account's second address.
#pragma once

#include "blob/http/call.h"

namespace holdfast::blob {

Answer get_service_stats(Call& call);

}  // namespace holdfast::blob
