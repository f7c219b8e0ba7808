#include "roles/storage/storage.hpp"

namespace gs::storage {

StorageRole::StorageRole(RoleContext& context)
    : loop_{context.loop}, bus_{context.bus}, metrics_{context.metrics}, disk_{context.disk} {
    const auto settings = context.settings.section("storage");
    engine_ =
        settings.choice("engine", "sqlite", {"sqlite", "memory"}, "where data is kept; memory forgets it at the end");
    path_ =
        settings.text("sqlite.file", "game.db", "the database file, inside the data directory unless it is absolute");
    if (path_.is_relative()) path_ = context.data_directory / path_;
    options_.batch_max = static_cast<std::size_t>(
        settings.integer("batch_max", 256, {1, 4096}, "operations", "how many share one durable commit at most"));
    options_.queue_max = static_cast<std::size_t>(settings.integer("queue_max", 50'000, {1, 10'000'000}, "operations",
                                                                   "more wait nowhere: they are answered busy"));
    options_.mode = context.threads ? Committer::threaded : Committer::inline_mode;
    if (disk_ != nullptr) {
        options_.mode = Committer::paced;
        options_.pace = [this](runtime::Job commit, runtime::Job done) {
            disk_->pace(loop_, std::move(commit), std::move(done));
        };
    }
    answer<Open, Opened>();
    answer<Load, Loaded>();
    answer<ReadRecord, Record>();
    answer<ListRecords, RecordList>();
    answer<Commit, Committed>();
}

StorageRole::~StorageRole() = default;

template <class Request, class Reply>
void StorageRole::answer() {
    bus_.on<Request>(
        [this](RoleAddress /*from*/, Request request) { return run<Reply>(Operation{std::move(request)}); });
}

template <class Reply>
runtime::Task<Reply> StorageRole::run(Operation operation) {
    if (committer_ == nullptr) throw Error{Code::unavailable, "storage is not open"};
    const runtime::Promise<Operation> promise;
    auto done = promise.future();
    ++running_;
    auto complete = [this, promise](Operation&& finished) {
        loop_.post([this, promise, finished = std::move(finished)]() mutable {
            --running_;
            promise.set(std::move(finished));
        });
    };
    committer_->submit(std::move(operation), std::move(complete));
    if constexpr (std::is_same_v<Reply, Committed>) {
        if (planted(PlantedBug::confirm_before_commit)) co_return Reply{};
    }
    auto finished = co_await std::move(done);
    if (const auto* error = std::get_if<Error>(&finished.result)) throw Error{*error};
    co_return std::get<Reply>(std::move(finished.result));
}

runtime::Task<> StorageRole::start() {
    if (disk_ != nullptr) {
        committer_ = std::make_unique<Committer>(disk_->open(), metrics_, options_);
    } else if (engine_ == "memory") {
        log::warn("storage keeps everything in memory: nothing survives the end of this process");
        committer_ = std::make_unique<Committer>(make_memory_engine(), metrics_, options_);
    } else {
        std::error_code failed;
        std::filesystem::create_directories(path_.parent_path(), failed);
        if (failed) {
            throw Error{Code::invalid, "the data directory {} cannot be created: {}; give another with --data-dir",
                        path_.parent_path().string(), failed.message()};
        }
        committer_ = std::make_unique<Committer>(open_sqlite_engine(path_.string()).value(), metrics_, options_);
        log::info("storage is in {}", path_.string());
    }
    bus_.announce(true, 0, {});
    co_return;
}

runtime::Task<> StorageRole::stop() {
    bus_.announce(false, 0, {});
    while (running_ > 0) co_await runtime::sleep(loop_, std::chrono::milliseconds{1});
    committer_.reset();
}

}  // namespace gs::storage

GS_ROLE(storage, storage::StorageRole)
