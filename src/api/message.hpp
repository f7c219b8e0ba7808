#pragma once
// Everything that a messages.hpp needs: FIELDS, GS_REQUEST, GS_PUSH, ids.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/fields.hpp"
#include "base/ids.hpp"
#include "base/message.hpp"
