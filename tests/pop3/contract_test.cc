// The POP3 source keeps the promises of engine/source.h, as far as POP3 can: it has no folders, no
// flags and no dates in its listing, and no way to say a message that does not end a line. So those
// parts of the contract are left out that compare the sample without a line end; fetch_test has
// their like.
#include <catch2/catch.hpp>

#include "connectors/net/memory_stream.h"
#include "connectors/pop3/source.h"
#include "engine/async/manual_executor.h"
#include "engine/error.h"
#include "tests/conformance/source_contract.h"
#include "tests/pop3/dialogue.h"
#include "tests/pop3/model_server.h"

using namespace postferry;
using namespace postferry::conformance;

namespace {

class Pop3Subject final : public SourceSubject {
 public:
  Pop3Subject(net::PipeOptions pipe, std::string capabilities)
      : server_(executor_, std::move(pipe), std::move(capabilities)),
        network_([this](net::ConnectOptions options) { return accept(std::move(options)); }),
        spool_(make_disk_spool(blocking_, "/tmp")) {
    ConnectorContext context;
    context.network = &network_;
    context.spool = spool_.get();
    EndSetup setup;
    setup.endpoint = parse_endpoint("pop3s://ann@old.example");
    setup.credentials = &secrets_;
    source_ = pop3::make_source(context, std::move(setup));
  }
  ~Pop3Subject() override { executor_.clear(); }

  Executor& executor() override { return executor_; }
  Source& source() override { return *source_; }
  SourceKind kind() const override {
    return {.uids = false, .folders = false, .flags = false, .dates = false};
  }
  void add_folder(const FolderName&, Role) override { FAIL("POP3 has no folders"); }
  void add_message(const FolderName&, const Sample& sample) override { server_.add(sample.bytes); }
  pop3::test::ModelServer& server() { return server_; }
  void remove_message(const FolderName&, std::size_t nth) override { server_.remove(nth); }

 private:
  Task<std::unique_ptr<net::Stream>> accept(net::ConnectOptions options) {
    co_return server_.connect(options.tls.has_value());
  }

  ManualExecutor executor_;
  pop3::test::ModelServer server_;
  net::ScriptedNetwork network_;
  InlineBlocking blocking_;
  std::unique_ptr<SpoolFactory> spool_;
  pop3::test::Secrets secrets_{{"pa$$word"}};
  std::unique_ptr<Source> source_;
};

}  // namespace

TEST_CASE("the POP3 source keeps the contract of sources") {
  net::PipeOptions pipe;
  pipe.read_chunk = GENERATE(std::size_t{1}, std::size_t{4096}, std::size_t{1} << 20);
  const std::string capabilities = GENERATE("", "TOP\r\nUIDL\r\nPIPELINING\r\n");
  const MakeSource make = [&] { return std::make_unique<Pop3Subject>(pipe, capabilities); };
  SECTION("list names the one folder") { conformance::detail::check_listing(make); }
  SECTION("select tells the numbers") { conformance::detail::check_select(make); }
  SECTION("an empty folder is no special case") { conformance::detail::check_empty(make); }
  SECTION("headers are unfolded, and gone messages left out") {
    conformance::detail::check_headers(make);
  }
  SECTION("a message that vanished is missing, and gone") {
    conformance::detail::check_vanished(make);
  }
  SECTION("a sink may throw or be cancelled") { conformance::detail::check_sink_failures(make); }
  SECTION("remove takes just these messages") { conformance::detail::check_remove(make); }
  SECTION("sessions can be used again") { conformance::detail::check_sessions(make); }
}

TEST_CASE("a line that breaks anywhere never makes a message shorter") {
  const std::vector<std::string> sent = {"Subject: 1\r\n\r\nends with a dot.\r\n",
                                         "a\r\n..\r\n.\r\n", "\r\n",
                                         "Subject: 4\r\n\r\n" + std::string(300, 'x') + "\r\n"};
  bool finished = false;
  std::size_t most = 0;
  for (std::size_t cut = 0; !finished; ++cut) {
    Pop3Subject subject({}, "UIDL\r\nPIPELINING\r\n");
    for (const std::string& message : sent) subject.server().add(message);
    subject.server().cut_after(cut);
    pop3::test::Collector sink;
    std::optional<ErrorKind> failed;
    std::unique_ptr<SourceSession> session;
    try {
      session = subject.connect();
      const Catalogue catalogue = subject.run(session->catalogue());
      subject.run(session->fetch(conformance::detail::entries_of(catalogue), sink));
      finished = true;
    } catch (const Error& error) {
      failed = error.kind();
    }
    INFO("cut after " << cut);
    REQUIRE((finished || failed == ErrorKind::transient));
    REQUIRE(sink.missed.empty());
    REQUIRE(sink.messages.size() <= sent.size());
    for (std::size_t i = 0; i < sink.messages.size(); ++i) {
      REQUIRE(sink.messages[i].bytes == sent[i]);
    }
    REQUIRE(sink.messages.size() >= most);
    most = sink.messages.size();
  }
  CHECK(most == sent.size());
}
