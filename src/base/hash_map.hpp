#pragma once
// The hash table for look-ups on the path of every message: one flat block, no node to follow. References to values die
// with the next insertion; order is not defined, so nothing that shows may depend on it.
#include <tsl/robin_map.h>

namespace gs {

template <class Key, class Value>
using HashMap = tsl::robin_map<Key, Value>;

}  // namespace gs
