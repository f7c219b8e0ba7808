#pragma once
// For roles that serve HTTP.
#include "http/server.hpp"
