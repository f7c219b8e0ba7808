#pragma once
// The page at /play, as files in the executable: src/client/js/play, put together by the build (cmake/play.cmake).
#include <span>
#include <string_view>

namespace gs::login {

struct PlayFile {
    std::string_view path, content_type, body;
};
[[nodiscard]] std::span<const PlayFile> play_files();

}  // namespace gs::login
