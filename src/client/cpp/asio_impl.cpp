// The one file that compiles what is not a template in Asio (ASIO_SEPARATE_COMPILATION).
#include <asio/impl/src.hpp>
