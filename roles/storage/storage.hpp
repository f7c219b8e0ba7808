#pragma once
// The storage role: answers the operations of src/storage over the bus, in groups that share one durable commit.
#include <memory>

#include "api/role.hpp"
#include "api/storage.hpp"

namespace gs::storage {

class StorageRole final : public Actor {
public:
    explicit StorageRole(RoleContext& context);
    ~StorageRole() override;

    runtime::Task<> start() override;
    runtime::Task<> stop() override;

private:
    template <class Request, class Reply>
    void answer();
    template <class Reply>
    runtime::Task<Reply> run(Operation operation);

    runtime::Loop& loop_;
    cluster::RoleBus bus_;
    Metrics& metrics_;
    std::string engine_;
    std::filesystem::path path_;
    DiskWorld* disk_;
    Committer::Options options_;
    std::unique_ptr<Committer> committer_;
    std::size_t running_ = 0;  // operations that are with the committer
};

}  // namespace gs::storage
