// How many processors this process may use.
#pragma once

namespace holdfast {

// By its affinity; at least 1.
unsigned usable_cores();

}  // namespace holdfast
