#include "http/client.hpp"

#include <curl/curl.h>

#include <array>
#include <mutex>

namespace gs::http {
namespace {

struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Received {
    HttpResponse response;
    std::size_t bytes_max = 0;
    bool too_large = false;
};

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::size_t receive_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& received = *static_cast<Received*>(user);
    const auto bytes = size * count;
    received.too_large = received.response.body.size() + bytes > received.bytes_max;
    if (received.too_large) return 0;
    received.response.body.append(data, bytes);
    return bytes;
}

std::size_t receive_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& headers = static_cast<Received*>(user)->response.headers;
    const std::string_view line{data, size * count};
    if (line.starts_with("HTTP/")) headers.clear();  // what came before was of a 100 Continue
    const auto colon = line.find(':');
    if (colon != std::string_view::npos)
        headers.emplace_back(trim(line.substr(0, colon)), trim(line.substr(colon + 1)));
    return line.size();
}

Error fetch_error(CURLcode code, const HttpFetch& fetch, const Received& received, const char* detail) {
    if (received.too_large) {
        return Error{Code::invalid, "{} {}: the answer is larger than {} bytes", fetch.method, fetch.url,
                     received.bytes_max};
    }
    auto kind = Code::unavailable;
    if (code == CURLE_OPERATION_TIMEDOUT) kind = Code::deadline;
    if (code == CURLE_SSL_CACERT_BADFILE) kind = Code::invalid;
    if (code == CURLE_PEER_FAILED_VERIFICATION) kind = Code::forbidden;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) kind = Code::invalid;
    return Error{kind, "{} {}: {}", fetch.method, fetch.url, *detail != '\0' ? detail : curl_easy_strerror(code)};
}

}  // namespace

struct HttpClient::Handle {
    Handle() {
        static std::once_flag once;
        std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
        curl = curl_easy_init();
        if (curl == nullptr) throw Error{Code::internal, "libcurl did not start: out of memory"};
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { curl_easy_cleanup(curl); }

    CURL* curl = nullptr;
};

HttpClient::HttpClient() : handle_{std::make_unique<Handle>()} {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpResponse> HttpClient::fetch(const HttpFetch& fetch) {
    auto* curl = handle_->curl;
    curl_easy_reset(curl);  // keeps the connection

    std::unique_ptr<curl_slist, ListDeleter> headers;
    for (const auto& [name, value] : fetch.headers) {
        // "name;" is how libcurl wants a header without a value.
        const auto line = value.empty() ? name + ';' : name + ": " + value;
        headers.reset(curl_slist_append(headers.release(), line.c_str()));
    }
    Received received;
    received.bytes_max = fetch.response_bytes_max;
    std::array<char, CURL_ERROR_SIZE> detail{};

    curl_easy_setopt(curl, CURLOPT_URL, fetch.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (!fetch.ca_file.empty()) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, fetch.ca_file.c_str());
        curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);  // else the system's are trusted beside it
    }
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(fetch.timeout.count()));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail.data());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &receive_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &receive_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &received);
    if (!fetch.body.empty() || fetch.method == "POST" || fetch.method == "PUT") {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(fetch.body.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, fetch.body.data());
    }
    if (fetch.method == "HEAD") curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, fetch.method.c_str());

    const auto code = curl_easy_perform(curl);
    if (code != CURLE_OK) return fetch_error(code, fetch, received, detail.data());
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    received.response.status = static_cast<unsigned>(status);
    received.response.content_type = received.response.header("content-type");
    return std::move(received.response);
}

}  // namespace gs::http
