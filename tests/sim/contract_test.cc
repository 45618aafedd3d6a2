// The IMAP connector keeps the promises of engine/source.h and engine/target.h, with model servers
// of several kinds at the other end of a simulated line.
#include <algorithm>
#include <memory>

#include "connectors/mail/mod_utf7.h"
#include "connectors/registry.h"
#include "engine/spool.h"
#include "tests/conformance/source_contract.h"
#include "tests/conformance/target_contract.h"
#include "tests/sim/imap_server.h"

using namespace postferry;
using namespace postferry::conformance;
using namespace postferry::sim;

namespace {

constexpr std::uint16_t kPort = 1143;

class Password final : public Credentials {
 public:
  Task<Secret> secret() override { co_return Secret("secret"); }
};

/// A server of one account, and what a connector needs to reach it.
class Account {
 public:
  explicit Account(const std::string& profile)
      : dice_(1),
        agenda_(executor_),
        network_(agenda_, dice_, trace_),
        server_(store_, profile_named(profile, dice_), agenda_, dice_, trace_),
        spool_(make_disk_spool(blocking_, "/tmp")),
        context_{&network_, spool_.get(), &blocking_, "contract"} {
    store_.make("INBOX");
    network_.listen(kPort, [this](auto wire) { return server_.accept(std::move(wire)); });
    setup_.endpoint = parse_endpoint("imap://ann@mail.example:1143?tls=none");
    setup_.credentials = &password_;
  }
  ~Account() { executor_.clear(); }

 protected:
  std::string wire(const FolderName& folder) const {
    if (folder.is_inbox()) return "INBOX";
    std::string out = server_.profile.prefix;
    for (const std::string& level : folder.levels()) {
      if (&level != &folder.levels().front()) out += server_.profile.delimiter;
      out += mail::encode_mod_utf7(level).value();
    }
    return out;
  }

  void add(const FolderName& folder, const Sample& sample) {
    Mail mail;
    mail.bytes = std::make_shared<const std::string>(sample.bytes);
    mail.flags = sample.flags;
    mail.date = sample.date;
    store_.make(wire(folder)).add(std::move(mail));
  }

  ManualExecutor executor_;
  Dice dice_;
  Trace trace_;
  Agenda agenda_;
  SimNetwork network_;
  Mailstore store_;
  ImapServer server_;
  InlineBlocking blocking_;
  std::unique_ptr<SpoolFactory> spool_;
  Password password_;
  ConnectorContext context_;
  EndSetup setup_;
};

class ImapSourceSubject final : public SourceSubject, private Account {
 public:
  explicit ImapSourceSubject(const std::string& profile)
      : Account(profile), source_(make_source(context_, setup_)) {}

  Executor& executor() override { return executor_; }
  Source& source() override { return *source_; }
  SourceKind kind() const override {
    SourceKind kind;
    kind.roles = server_.profile.offers("SPECIAL-USE");
    kind.removes = server_.profile.offers("UIDPLUS");
    return kind;
  }
  void add_folder(const FolderName& folder, Role role) override {
    MailFolder& made = store_.make(wire(folder));
    if (role == Role::sent) made.attributes = "\\Sent";
    if (role == Role::trash) made.attributes = "\\Trash";
    if (role == Role::drafts) made.attributes = "\\Drafts";
    if (role == Role::junk) made.attributes = "\\Junk";
    if (role == Role::archive) made.attributes = "\\Archive";
  }
  void add_message(const FolderName& folder, const Sample& sample) override { add(folder, sample); }
  void remove_message(const FolderName& folder, std::size_t nth) override {
    MailFolder& found = *store_.find(wire(folder));
    found.remove(found.mails.at(nth).uid);
  }

 private:
  std::unique_ptr<Source> source_;
};

class ImapTargetSubject final : public TargetSubject, private Account {
 public:
  explicit ImapTargetSubject(const std::string& profile)
      : Account(profile), target_(make_target(context_, setup_)) {}

  Executor& executor() override { return executor_; }
  Target& target() override { return *target_; }
  std::vector<StoredMessage> stored(const FolderName& folder) override {
    std::vector<StoredMessage> out;
    const MailFolder* found = store_.find(wire(folder));
    if (!found) return out;
    for (const Mail& mail : found->mails)
      out.push_back({Uid{mail.uid}, {*mail.bytes, mail.flags, mail.date.value_or(InternalDate{})}});
    return out;
  }
  void add_message(const FolderName& folder, const Sample& sample) override { add(folder, sample); }
  std::string expected(const std::string& sent) const override {
    return as_stored(server_.profile, sent);
  }

 private:
  std::unique_ptr<Target> target_;
};

}  // namespace

TEST_CASE("the IMAP source keeps the contract") {
  const std::string profile = GENERATE("dovecot", "cyrus", "courier", "bare");
  INFO(profile);
  check_source_contract([&] { return std::make_unique<ImapSourceSubject>(profile); });
}

TEST_CASE("the IMAP target keeps the contract") {
  const std::string profile = GENERATE("dovecot", "cyrus", "courier", "bare");
  INFO(profile);
  check_target_contract([&] { return std::make_unique<ImapTargetSubject>(profile); });
}
