#pragma once
// For roles that handle clients: the client protocol and what gateway, center and game tell each other.
#include "session/messages.hpp"
#include "session/player.hpp"
#include "wire/frame.hpp"
#include "wire/message.hpp"
#include "wire/system.hpp"
