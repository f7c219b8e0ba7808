#pragma once
// For roles that handle passwords and tokens.
#include "base/crypto/crypto.hpp"
#include "base/crypto/password.hpp"
#include "base/crypto/signing.hpp"
#include "base/crypto/token.hpp"
