#pragma once
// to_json and from_json of any struct with FIELDS.
#include "base/describe.hpp"
