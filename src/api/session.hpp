#pragma once
// For roles that handle clients: the client protocol and what gateway, center and game tell each other.
#include "base/hash_map.hpp"
#include "session/admission.hpp"
#include "session/centers.hpp"
#include "session/messages.hpp"
#include "session/moderation.hpp"
#include "session/player.hpp"
#include "session/version.hpp"
#include "wire/frame.hpp"
#include "wire/message.hpp"
#include "wire/proxy_protocol.hpp"
#include "wire/sealing.hpp"
#include "wire/system.hpp"
