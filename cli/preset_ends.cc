#include "cli/preset_ends.h"

#include <algorithm>
#include <utility>

namespace postferry::cli {
namespace {

/// What both kinds of end have in common.
template <class End, class Session>
class LearningEnd : public End {
 public:
  LearningEnd(std::unique_ptr<End> inner, bool limit_sessions, LearnPreset learn)
      : inner_(std::move(inner)), limit_sessions_(limit_sessions), learn_(std::move(learn)) {}

  Task<std::unique_ptr<Session>> connect() override {
    std::unique_ptr<Session> session = co_await inner_->connect();
    if (!asked_) {
      asked_ = true;
      preset_ = preset_of_software(session->software());
      if (preset_ && learn_) learn_(*preset_);
    }
    co_return session;
  }

  int max_sessions() const override {
    const int most = inner_->max_sessions();
    const bool limited = limit_sessions_ && preset_ && preset_->sessions > 0;
    return limited ? std::min(most, preset_->sessions) : most;
  }

  std::string describe() const override { return inner_->describe(); }

 protected:
  End& inner() { return *inner_; }

 private:
  std::unique_ptr<End> inner_;
  bool limit_sessions_;
  LearnPreset learn_;
  bool asked_ = false;
  std::optional<Preset> preset_;
};

class LearningSource final : public LearningEnd<Source, SourceSession> {
 public:
  using LearningEnd::LearningEnd;
  void carried(const std::vector<FolderInfo>& folders) override { inner().carried(folders); }
};

class LearningTarget final : public LearningEnd<Target, TargetSession> {
 public:
  using LearningEnd::LearningEnd;
};

}  // namespace

std::unique_ptr<Source> learn_preset(std::unique_ptr<Source> source, bool limit_sessions,
                                     LearnPreset learn) {
  return std::make_unique<LearningSource>(std::move(source), limit_sessions, std::move(learn));
}

std::unique_ptr<Target> learn_preset(std::unique_ptr<Target> target, bool limit_sessions,
                                     LearnPreset learn) {
  return std::make_unique<LearningTarget>(std::move(target), limit_sessions, std::move(learn));
}

}  // namespace postferry::cli
