// TLS against OpenSSL's own server: what is trusted, what is refused and in which words, and that
// a cut line is never taken for an end.
#include <catch2/catch.hpp>

#include "tests/net/client.h"
#include "tests/net/servers.h"

using namespace postferry;
using namespace postferry::net;
using namespace client;
using servers::Certificate;
using servers::CertificateOptions;
using servers::PemFile;
using servers::Server;
using servers::Tls;
using std::chrono::milliseconds;

namespace {

/// A server that greets over TLS and leaves with close_notify when the client has.
std::function<void(int)> greeting_server(const Certificate& certificate) {
  return [&certificate](int fd) {
    Tls tls(fd, certificate);
    if (!tls.accepted()) return;
    tls.send("hello");
    tls.receive();
    tls.close_notify();
  };
}

TlsOptions trusting(const std::string& ca_file) {
  TlsOptions options;
  options.ca_file = ca_file;
  return options;
}

ConnectOptions secure(std::uint16_t port, TlsOptions tls, const std::string& host = "localhost") {
  ConnectOptions options = to(host, port);
  options.tls = std::move(tls);
  return options;
}

Task<std::string> connect_and_read(Network& network, ConnectOptions options) {
  std::unique_ptr<Stream> stream = co_await network.connect(std::move(options));
  std::string text = co_await read_exactly(*stream, 5);
  co_await stream->close();
  co_return text;
}

Task<std::string> connect_outcome(Network& network, ConnectOptions options) {
  std::string text;
  try {
    text = co_await connect_and_read(network, std::move(options));
  } catch (const Error& error) {
    text = std::string(to_string(error.kind())) + ": " + error.what();
  }
  co_return text;
}

/// How a connection to a server with this certificate ends: "hello", or the error.
std::string try_certificate(const Certificate& certificate, TlsOptions tls,
                            const std::string& host = "localhost") {
  World world;
  Server server(greeting_server(certificate), host == "::1" ? AF_INET6 : AF_INET);
  return world.run(connect_outcome(world.network, secure(server.port(), std::move(tls), host)));
}

std::string hex(const std::string& bytes) {
  std::string out;
  for (char byte : bytes) {
    char text[3];
    std::snprintf(text, sizeof text, "%02x", static_cast<unsigned>(byte) & 0xffU);
    out += text;
  }
  return out;
}

}  // namespace

TEST_CASE("a certificate of an authority in the ca file is trusted, by name and by address") {
  Certificate root({.common_name = "Test Root", .alt_names = "", .authority = true});
  PemFile ca(root.pem());
  Certificate leaf({}, &root);
  CHECK(try_certificate(leaf, trusting(ca.path())) == "hello");
  CHECK(try_certificate(leaf, trusting(ca.path()), "127.0.0.1") == "hello");
  CHECK(try_certificate(leaf, trusting(ca.path()), "::1") == "hello");
}

TEST_CASE("a self-signed certificate in the ca file is trusted") {
  Certificate certificate;
  PemFile ca(certificate.pem());
  CHECK(try_certificate(certificate, trusting(ca.path())) == "hello");
}

TEST_CASE("a self-signed certificate is refused, and its pin is shown") {
  Certificate certificate;
  std::string text = try_certificate(certificate, {});
  CHECK_THAT(text, Catch::StartsWith("tls: localhost:"));
  CHECK_THAT(text, Catch::Contains("self-signed"));
  CHECK_THAT(text, Catch::Contains("ca=FILE"));
  CHECK_THAT(text, Catch::Contains("pin=sha256:" + hex(certificate.pin())));
}

TEST_CASE("a certificate of an unknown authority is refused, and the authority is named") {
  Certificate root({.common_name = "Test Root", .alt_names = "", .authority = true});
  Certificate leaf({}, &root);
  std::string text = try_certificate(leaf, {});
  CHECK_THAT(text, Catch::StartsWith("tls: "));
  CHECK_THAT(text, Catch::Contains("\"Test Root\""));
  CHECK_THAT(text, Catch::Contains("unknown to this system"));
  CHECK_THAT(text, Catch::Contains("pin=sha256:" + hex(leaf.pin())));
  Certificate other({.common_name = "Other Root", .alt_names = "", .authority = true});
  PemFile ca(other.pem());
  CHECK_THAT(try_certificate(leaf, trusting(ca.path())), Catch::Contains("not in the ca file"));
}

TEST_CASE("a certificate for another host is refused, and both names are told") {
  Certificate certificate(
      {.common_name = "old.example", .alt_names = "DNS:old.example,DNS:mail.old.example"});
  PemFile ca(certificate.pem());
  std::string text = try_certificate(certificate, trusting(ca.path()));
  CHECK_THAT(text, Catch::StartsWith("tls: "));
  CHECK_THAT(text, Catch::Contains("is for old.example, mail.old.example, not localhost"));
  Certificate addressed({.common_name = "x", .alt_names = "IP:192.0.2.1,IP:2001:db8::1"});
  PemFile other_ca(addressed.pem());
  CHECK_THAT(try_certificate(addressed, trusting(other_ca.path()), "127.0.0.1"),
             Catch::Contains("is for 192.0.2.1, 2001:db8::1, not 127.0.0.1"));
}

TEST_CASE("an address is not matched by a name, nor a name in the subject by an address") {
  Certificate certificate({.common_name = "127.0.0.1", .alt_names = "DNS:127.0.0.1"});
  PemFile ca(certificate.pem());
  CHECK_THAT(try_certificate(certificate, trusting(ca.path()), "127.0.0.1"),
             Catch::Contains("not 127.0.0.1"));
}

TEST_CASE("an expired certificate, and one of the future, are refused with the date") {
  Certificate expired({.begins = -7200, .ends = -3600});
  PemFile ca(expired.pem());
  std::string text = try_certificate(expired, trusting(ca.path()));
  CHECK_THAT(text, Catch::StartsWith("tls: "));
  CHECK_THAT(text, Catch::Contains("expired on"));
  CHECK_THAT(text, Catch::Contains("GMT"));
  Certificate future({.begins = 3600, .ends = 7200});
  PemFile future_ca(future.pem());
  CHECK_THAT(try_certificate(future, trusting(future_ca.path())),
             Catch::Contains("not valid before"));
}

TEST_CASE("the right pin is enough, a wrong one never is") {
  Certificate certificate({.alt_names = "DNS:other.example", .ends = -10});
  Certificate stranger;
  TlsOptions right;
  right.pin_sha256 = certificate.pin();
  CHECK(try_certificate(certificate, right) == "hello");
  TlsOptions wrong;
  wrong.pin_sha256 = stranger.pin();
  std::string text = try_certificate(certificate, wrong);
  CHECK_THAT(text, Catch::StartsWith("tls: "));
  CHECK_THAT(text, Catch::Contains("not the pinned one"));
  CHECK_THAT(text, Catch::Contains("pin=sha256:" + hex(certificate.pin())));
  wrong.verify = false;
  CHECK_THAT(try_certificate(certificate, wrong), Catch::Contains("not the pinned one"));
}

TEST_CASE("with a pin and a ca file both must hold") {
  Certificate certificate;
  PemFile ca(certificate.pem());
  TlsOptions both = trusting(ca.path());
  both.pin_sha256 = certificate.pin();
  CHECK(try_certificate(certificate, both) == "hello");
  Certificate elsewhere({.alt_names = "DNS:other.example"});
  PemFile other_ca(elsewhere.pem());
  TlsOptions misnamed = trusting(other_ca.path());
  misnamed.pin_sha256 = elsewhere.pin();
  CHECK_THAT(try_certificate(elsewhere, misnamed), Catch::Contains("not localhost"));
}

TEST_CASE("verify=no takes any certificate") {
  Certificate certificate({.alt_names = "DNS:other.example", .ends = -10});
  TlsOptions options;
  options.verify = false;
  CHECK(try_certificate(certificate, options) == "hello");
}

TEST_CASE("a ca file that cannot be read is a usage error that names it") {
  Certificate certificate;
  CHECK_THAT(try_certificate(certificate, trusting("/nonexistent/ca.pem")),
             Catch::StartsWith("usage: ") && Catch::Contains("/nonexistent/ca.pem"));
  PemFile empty("no certificate in here\n");
  CHECK_THAT(try_certificate(certificate, trusting(empty.path())),
             Catch::StartsWith("usage: ") && Catch::Contains(empty.path()));
}

TEST_CASE("the server name is sent for a name, and not for an address") {
  Certificate certificate;
  TlsOptions tls;
  tls.verify = false;
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    std::string name = "nothing";
    World world;
    {
      Server server([&](int fd) {
        Tls side(fd, certificate);
        name = side.server_name();
        side.send("hello");
        side.close_notify();
      });
      world.run(connect_outcome(world.network, secure(server.port(), tls, host)));
    }
    CHECK(name == (host == "localhost" ? "localhost" : ""));
  }
}

TEST_CASE("TLS 1.1 is refused and TLS 1.2 is taken") {
  Certificate certificate;
  TlsOptions tls;
  tls.verify = false;
  for (int version : {TLS1_1_VERSION, TLS1_2_VERSION}) {
    World world;
    Server server([&](int fd) {
      Tls side(fd, certificate, version, version);
      side.send("hello");
      side.receive();
    });
    std::string text = world.run(connect_outcome(world.network, secure(server.port(), tls)));
    if (version == TLS1_2_VERSION) {
      CHECK(text == "hello");
    } else {
      CHECK_THAT(text, Catch::StartsWith("tls: ") && Catch::Contains("no TLS 1.2"));
    }
  }
}

TEST_CASE("a server that speaks no TLS is refused with what it said") {
  World world;
  Server server([](int fd) {
    servers::send_all(fd, "* OK plain IMAP here\r\n");
    servers::receive(fd);
  });
  std::string text = world.run(connect_outcome(world.network, secure(server.port(), {})));
  CHECK_THAT(text, Catch::StartsWith("tls: localhost:"));
  CHECK_THAT(text, Catch::Contains("does not speak TLS"));
  CHECK_THAT(text, Catch::Contains("* OK plain IMAP here"));
}

TEST_CASE("a server that hangs up inside the handshake is unreachable") {
  World world;
  Server server([](int fd) { servers::receive(fd, 1); });
  std::string text = world.run(connect_outcome(world.network, secure(server.port(), {})));
  CHECK_THAT(text, Catch::StartsWith("unreachable: localhost:"));
}

TEST_CASE("a handshake that does not go on ends at the time limit") {
  World world;
  Server server([](int fd) { servers::receive(fd); });
  ConnectOptions options = secure(server.port(), {});
  options.connect_limit = milliseconds(200);
  std::string text = world.run(connect_outcome(world.network, options));
  CHECK_THAT(text, Catch::StartsWith("unreachable: "));
  CHECK_THAT(text, Catch::Contains("too long"));
}

TEST_CASE("a handshake that waits can be cancelled") {
  World world;
  Server server([](int fd) { servers::receive(fd); });
  auto task = world.network.connect(secure(server.port(), {}));
  CHECK(world.run(outcome(with_timeout(milliseconds(50), std::move(task)))) == "timed out");
}

TEST_CASE("close_notify ends a stream; a line that ends without it is a transient error") {
  Certificate certificate;
  TlsOptions tls;
  tls.verify = false;
  for (bool polite : {true, false}) {
    World world;
    Server server([&](int fd) {
      Tls side(fd, certificate);
      side.send("half a reply");
      if (polite) side.close_notify();
      ::shutdown(fd, SHUT_WR);
      servers::receive(fd);
    });
    auto stream = world.run(world.network.connect(secure(server.port(), tls)));
    CHECK(stream->encrypted());
    CHECK(world.run(read_exactly(*stream, 12)) == "half a reply");
    std::string end = world.run(outcome(read_some(*stream)));
    if (polite) {
      CHECK(end == "done");
      CHECK(world.run(read_some(*stream)).empty());
    } else {
      CHECK_THAT(end, Catch::StartsWith("transient: localhost:"));
      CHECK_THAT(end, Catch::Contains("close_notify"));
    }
    world.run(stream->close());
  }
}

TEST_CASE("bytes that are no TLS, in mid-stream, are a TLS error") {
  Certificate certificate;
  TlsOptions tls;
  tls.verify = false;
  World world;
  Server server([&](int fd) {
    Tls side(fd, certificate);
    side.send("sound");
    servers::send_all(fd, std::string(1000, '!'));
    servers::receive(fd);
  });
  auto stream = world.run(world.network.connect(secure(server.port(), tls)));
  CHECK(world.run(read_exactly(*stream, 5)) == "sound");
  CHECK_THAT(world.run(outcome(read_some(*stream))), Catch::StartsWith("tls: localhost:"));
  world.run(stream->close());
}

TEST_CASE("our close sends close_notify; after a cancelled call it does not") {
  Certificate certificate;
  TlsOptions tls;
  tls.verify = false;
  for (bool polite : {true, false}) {
    bool told = !polite;
    World world;
    {
      Server server([&](int fd) {
        Tls side(fd, certificate);
        side.receive();
        told = side.got_close_notify();
      });
      auto stream = world.run(world.network.connect(secure(server.port(), tls)));
      if (!polite) world.run(cancel_when_waiting(read_some(*stream)));
      world.run(stream->close());
    }
    CHECK(told == polite);
  }
}

TEST_CASE("bytes in the clear before the handshake of STARTTLS are fatal") {
  Certificate certificate;
  TlsOptions tls;
  tls.host = "localhost";
  tls.verify = false;
  World world;
  Server server([&](int fd) {
    servers::send_all(fd, "A OK begin TLS\r\n* injected\r\n");
    servers::receive(fd);
  });
  SECTION("when they wait in the socket") {
    auto stream = world.connect(server.port());
    CHECK(world.run(read_line(*stream)) == "A OK begin TLS");
    std::string text = world.run(outcome(stream->start_tls(tls, 0)));
    CHECK_THAT(text, Catch::StartsWith("tls: 127.0.0.1:"));
    CHECK_THAT(text, Catch::Contains("before the TLS handshake"));
    CHECK_FALSE(stream->encrypted());
    world.run(stream->close());
  }
  SECTION("when the caller holds them") {
    auto stream = world.connect(server.port());
    CHECK(world.run(read_exactly(*stream, 28)).size() == 28);
    std::string text = world.run(outcome(stream->start_tls(tls, 12)));
    CHECK_THAT(text, Catch::StartsWith("tls: "));
    CHECK_FALSE(stream->encrypted());
    world.run(stream->close());
  }
}

TEST_CASE("STARTTLS turns a clear stream into TLS") {
  Certificate certificate;
  PemFile ca(certificate.pem());
  World world;
  Server server([&](int fd) {
    servers::send_all(fd, "A OK begin TLS\r\n");
    Tls side(fd, certificate);
    std::string heard = side.receive(4);
    side.send("got " + heard);
    side.receive();
  });
  auto stream = world.connect(server.port());
  CHECK(world.run(read_line(*stream)) == "A OK begin TLS");
  CHECK_FALSE(stream->encrypted());
  TlsOptions tls = trusting(ca.path());
  tls.host = "localhost";
  world.run(stream->start_tls(tls, 0));
  CHECK(stream->encrypted());
  world.run(write_text(*stream, "ping"));
  CHECK(world.run(read_exactly(*stream, 8)) == "got ping");
  world.run(stream->close());
}

TEST_CASE("STARTTLS without a host to verify is refused") {
  World world;
  Server server([](int fd) { servers::receive(fd); });
  auto stream = world.connect(server.port());
  CHECK_THAT(world.run(outcome(stream->start_tls({}, 0))), Catch::StartsWith("tls: "));
  world.run(stream->close());
}

TEST_CASE("both ends know the same channel bindings") {
  Certificate certificate;
  TlsOptions tls;
  tls.verify = false;
  for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    std::string exporter(32, '\0');
    World world;
    std::string ours;
    std::string end_point;
    {
      Server server([&](int fd) {
        Tls side(fd, certificate, version, version);
        const std::string label = "EXPORTER-Channel-Binding";
        SSL_export_keying_material(side.ssl(), reinterpret_cast<unsigned char*>(exporter.data()),
                                   exporter.size(), label.data(), label.size(), nullptr, 0, 0);
        side.receive();
      });
      auto stream = world.run(world.network.connect(secure(server.port(), tls)));
      ours = stream->channel_binding("tls-exporter");
      end_point = stream->channel_binding("tls-server-end-point");
      CHECK(stream->channel_binding("tls-unique").empty());
      world.run(stream->close());
    }
    CHECK(ours == (version == TLS1_3_VERSION ? exporter : std::string()));
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509_digest(certificate.x509(), EVP_sha256(), hash, &size);
    CHECK(end_point == std::string(reinterpret_cast<char*>(hash), size));
  }
}

TEST_CASE("the server may renew its keys while both ends are sending") {
  Certificate certificate;
  TlsOptions tls;
  tls.verify = false;
  std::string heard;
  World world;
  {
    Server server([&](int fd) {
      Tls side(fd, certificate);
      for (int i = 0; i < 20; ++i) {
        SSL_key_update(side.ssl(), SSL_KEY_UPDATE_REQUESTED);
        side.send(std::string(50'000, 'k'));
        heard += side.receive(50'000);
      }
      side.receive();
    });
    auto stream = world.run(world.network.connect(secure(server.port(), tls)));
    for (int i = 0; i < 20; ++i) {
      world.run(write_text(*stream, std::string(50'000, 'x')));
      CHECK(world.run(read_exactly(*stream, 50'000)).size() == 50'000);
    }
    world.run(stream->close());
  }
  CHECK(heard.size() == 1'000'000);
}
