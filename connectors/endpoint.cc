// Reads the URL grammar of the command line, and writes it back for people.
// Must not open anything, and must never repeat in an error what could be a password.
#include "connectors/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <set>

#include "engine/error.h"

namespace postferry {
namespace {

constexpr int kMostSessions = 100;

struct Scheme {
  std::string_view name;
  Protocol protocol;
  TlsMode tls;
  std::uint16_t port;
};
constexpr std::array kSchemes{
    Scheme{"imaps", Protocol::imap, TlsMode::implicit, 993},
    Scheme{"imap", Protocol::imap, TlsMode::starttls, 143},
    Scheme{"pop3s", Protocol::pop3, TlsMode::implicit, 995},
    Scheme{"pop3", Protocol::pop3, TlsMode::starttls, 110},
    Scheme{"maildir", Protocol::maildir, TlsMode::none, 0},
    Scheme{"mbox", Protocol::mbox, TlsMode::none, 0},
    Scheme{"eml", Protocol::eml, TlsMode::none, 0},
    Scheme{"smtps", Protocol::smtp, TlsMode::implicit, 465},
    Scheme{"smtp", Protocol::smtp, TlsMode::starttls, 587},
    Scheme{"lmtp", Protocol::lmtp, TlsMode::none, 24},
    Scheme{"mx", Protocol::mx, TlsMode::when_offered, 25},
};

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::usage, std::move(message)); }

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
  return -1;
}

/// `what` names the part for the error; the part itself is not repeated.
std::string unescape(std::string_view text, std::string_view what) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      refuse(
          fmt::format("a % in the {} of a URL must be followed by two hexadecimal digits; "
                      "a percent sign itself is written %25",
                      what));
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  for (char c : out) {
    if (is_control(c)) refuse(fmt::format("the {} of a URL has a control character", what));
  }
  return out;
}

/// Escapes what parse_endpoint would read as something else, `also` included.
std::string escape(std::string_view text, std::string_view also) {
  std::string out;
  for (char c : text) {
    if (c == '%' || c == ' ' || is_control(c) || also.contains(c)) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

const Scheme& scheme_of(std::string_view url, std::string_view& rest) {
  std::size_t colon = url.find(':');
  if (colon == std::string_view::npos) {
    refuse("expected a URL such as imaps://USER@HOST, and found no scheme");
  }
  std::string name = lower(url.substr(0, colon));
  for (const Scheme& scheme : kSchemes) {
    if (name != scheme.name) continue;
    rest = url.substr(colon + 1);
    const bool socket =
        scheme.protocol == Protocol::lmtp && rest.starts_with('/') && !rest.starts_with("//");
    if (scheme.port == 0 || scheme.protocol == Protocol::mx || socket) return scheme;
    if (!rest.starts_with("//")) {
      refuse(fmt::format("expected {}://USER@HOST[:PORT]; the // is missing", name));
    }
    rest.remove_prefix(2);
    return scheme;
  }
  refuse(fmt::format(
      "unknown scheme {}:; expected imaps:, imap:, pop3s:, pop3:, maildir:, mbox:, eml:, smtps:, "
      "smtp:, lmtp: or mx:",
      printable(name, 20)));
}

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || end != text.data() + text.size() || port == 0) {
    // Not repeated: it may be a password whose host is missing.
    refuse("what follows the last : is not a port; expected a number from 1 to 65535");
  }
  return port;
}

std::string parse_ipv6(std::string_view text) {
  std::string host = unescape(text, "host");
  std::string address = host.substr(0, host.find('%'));
  in6_addr parsed;
  if (inet_pton(AF_INET6, address.c_str(), &parsed) != 1) {
    refuse(fmt::format("[{}] is not an IPv6 address", printable(host, 80)));
  }
  // A zone (fe80::1%eth0) names an interface, whose case matters.
  return lower(address) + host.substr(address.size());
}

std::string parse_name(std::string_view text) {
  std::string host = lower(unescape(text, "host"));
  if (host.empty()) refuse("no host in the URL; expected a name or an address after the @");
  for (char c : host) {
    bool good =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    if (good) continue;
    if (static_cast<unsigned char>(c) >= 0x80) {
      refuse(fmt::format("the host {} must be written in its xn-- form", printable(host, 80)));
    }
    refuse(fmt::format("{} is not a host name", printable(host, 80)));
  }
  return host;
}

void parse_host(std::string_view text, Endpoint& out) {
  if (text.contains('/')) {
    refuse(
        "a URL ends after the host and its port; a path after the host means nothing here. "
        "Folders are chosen by --folder");
  }
  std::string_view port;
  if (text.starts_with('[')) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos) refuse("the ] after the IPv6 address is missing");
    out.host = parse_ipv6(text.substr(1, end - 1));
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') refuse("expected :PORT after the ]");
  } else {
    std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
      refuse("an IPv6 address is written in brackets: [2001:db8::1]");
    }
    out.host = parse_name(text.substr(0, colon));
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (!port.empty()) out.port = parse_port(port.substr(1));
}

void parse_user(std::string_view text, Endpoint& out) {
  if (text.contains(':')) {
    refuse(
        "a password in a URL would show in the process list; give it by a password file, a "
        "password command or the environment. A : in a user name is written %3A");
  }
  out.user = unescape(text, "user");
  if (out.user.empty()) refuse("no user in the URL; expected USER@HOST");
}

TlsMode parse_tls(const std::string& value) {
  if (value == "implicit") return TlsMode::implicit;
  if (value == "starttls") return TlsMode::starttls;
  if (value == "none") return TlsMode::none;
  refuse(fmt::format("tls={} is unknown; expected tls=implicit, tls=starttls or tls=none",
                     printable(value, 40)));
}

/// Between mail servers TLS is taken when it is offered, or required.
TlsMode parse_mx_tls(const std::string& value) {
  if (value == "required") return TlsMode::starttls;
  if (value == "none") return TlsMode::none;
  refuse(fmt::format("tls={} is unknown; expected tls=required or tls=none", printable(value, 40)));
}

std::string parse_pin(const std::string& value) {
  constexpr std::string_view kPrefix = "sha256:";
  std::string_view digits = value;
  std::string out;
  if (digits.starts_with(kPrefix)) {
    digits.remove_prefix(kPrefix.size());
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
      int high = hex_digit(digits[i]);
      int low = hex_digit(digits[i + 1]);
      if (high < 0 || low < 0) break;
      out += static_cast<char>(high * 16 + low);
    }
  }
  if (out.size() != 32 || digits.size() != 64) {
    refuse(
        "expected pin=sha256: and 64 hexadecimal digits, the SHA-256 of the certificate's "
        "public key");
  }
  return out;
}

std::string parse_mechanism(const std::string& value) {
  static constexpr std::string_view kSpoken[] = {"SCRAM-SHA-256-PLUS",
                                                 "SCRAM-SHA-256",
                                                 "SCRAM-SHA-1-PLUS",
                                                 "SCRAM-SHA-1",
                                                 "CRAM-MD5",
                                                 "PLAIN",
                                                 "LOGIN",
                                                 "EXTERNAL",
                                                 "XOAUTH2",
                                                 "OAUTHBEARER"};
  std::string out = value;
  for (char& c : out) c = upper(c);
  if (std::ranges::find(kSpoken, out) == std::end(kSpoken)) {
    refuse(fmt::format("auth={} is not a mechanism that is spoken here; expected one of {}",
                       printable(value, 40), fmt::join(kSpoken, ", ")));
  }
  return out;
}

int parse_sessions(const std::string& value) {
  int sessions = 0;
  auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), sessions);
  if (failure != std::errc() || end != value.data() + value.size() || sessions < 1 ||
      sessions > kMostSessions) {
    refuse(fmt::format("sessions={} is not a number from 1 to {}", printable(value, 40),
                       kMostSessions));
  }
  return sessions;
}

Compress parse_compress(const std::string& value) {
  if (value == "auto") return Compress::automatic;
  if (value == "on") return Compress::on;
  if (value == "off") return Compress::off;
  refuse(fmt::format("compress={} is unknown; expected compress=auto, compress=on or compress=off",
                     printable(value, 40)));
}

void parse_option(std::string_view key, const std::string& value, Endpoint& out) {
  if (key == "tls") {
    out.tls = out.protocol == Protocol::mx ? parse_mx_tls(value) : parse_tls(value);
  } else if (key == "dns" && out.protocol == Protocol::mx) {
    if (value.empty()) refuse("expected the address of a name server after dns=");
    out.dns = value;
  } else if (key == "ca") {
    if (value.empty()) refuse("expected a file after ca=");
    out.ca_file = value;
  } else if (key == "pin") {
    out.pin_sha256 = parse_pin(value);
  } else if (key == "verify") {
    if (value != "no") refuse("verify= takes only no; without it certificates are verified");
    out.verify = false;
  } else if (key == "auth") {
    out.auth = parse_mechanism(value);
  } else if (key == "sessions") {
    out.sessions = parse_sessions(value);
  } else if (key == "compress" && out.protocol == Protocol::imap) {
    out.compress = parse_compress(value);
  } else if (key == "as") {
    if (value.empty()) refuse("expected a user after as=");
    out.authzid = value;
  } else {
    refuse(
        fmt::format("unknown key {} after the ? of a URL; expected tls, ca, pin, verify, auth, "
                    "sessions, as or (of IMAP) compress",
                    printable(key, 20)));
  }
}

void parse_file_option(std::string_view key, const std::string& value, Endpoint& out) {
  if (key == "sessions") {
    out.sessions = parse_sessions(value);
  } else if (key == "layout" && out.protocol == Protocol::maildir) {
    if (value != "fs")
      refuse("layout= takes only fs; without it folders are named as Maildir++ does");
    out.layout = value;
  } else if (key == "labels" && out.protocol == Protocol::mbox) {
    if (value != "folders" && value != "keywords")
      refuse("labels= takes folders or keywords; without it the labels are keywords");
    out.labels = value == "folders" ? value : "";
  } else {
    const char* const own = out.protocol == Protocol::maildir ? "layout or "
                            : out.protocol == Protocol::mbox  ? "labels or "
                                                              : "";
    refuse(fmt::format("unknown key {} after the ? of a path; expected {}sessions",
                       printable(key, 20), own));
  }
}

/// The one spelling of a path that the journal knows it by.
std::string parse_path(std::string_view text, std::string_view scheme) {
  const std::string path = unescape(text, "path");
  if (path.empty()) refuse(fmt::format("no path; expected {}:PATH", scheme));
  if (path.starts_with("//")) {
    refuse(fmt::format("a path has no host before it; expected {}:PATH", scheme));
  }
  std::string out = std::filesystem::absolute(path).lexically_normal().string();
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  return out;
}

void parse_query(std::string_view query, Endpoint& out) {
  std::set<std::string, std::less<>> seen;
  while (true) {
    std::size_t end = query.find('&');
    std::string_view option = query.substr(0, end);
    std::size_t equals = option.find('=');
    if (equals == std::string_view::npos) {
      refuse("expected key=value after the ? of a URL; a ? in a user name is written %3F");
    }
    std::string_view key = option.substr(0, equals);
    if (!seen.emplace(key).second) {
      refuse(fmt::format("the key {} is given twice in one URL", printable(key, 20)));
    }
    const std::string value = unescape(option.substr(equals + 1), "query");
    out.in_files() ? parse_file_option(key, value, out) : parse_option(key, value, out);
    if (end == std::string_view::npos) return;
    query.remove_prefix(end + 1);
  }
}

const char* name_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::imap:
      return "imap";
    case Protocol::pop3:
      return "pop3";
    case Protocol::maildir:
      return "maildir";
    case Protocol::mbox:
      return "mbox";
    case Protocol::eml:
      return "eml";
    case Protocol::smtp:
      return "smtp";
    case Protocol::lmtp:
      return "lmtp";
    case Protocol::mx:
      return "mx";
  }
  return "";
}

std::string bracketed(const std::string& host) {
  return host.contains(':') ? '[' + escape(host, "") + ']' : host;
}

}  // namespace

Endpoint parse_endpoint(std::string_view url) {
  Endpoint out;
  std::string_view rest;
  const Scheme& scheme = scheme_of(url, rest);
  out.protocol = scheme.protocol;
  out.tls = scheme.tls;
  out.port = scheme.port;

  std::size_t question = rest.find('?');
  std::string_view authority = rest.substr(0, question);
  if (out.in_files()) {
    out.path = parse_path(authority, scheme.name);
    if (question != std::string_view::npos) parse_query(rest.substr(question + 1), out);
    return out;
  }
  if (out.protocol == Protocol::lmtp && authority.starts_with('/')) {
    out.path = parse_path(authority, scheme.name);
    if (question != std::string_view::npos) parse_query(rest.substr(question + 1), out);
    return out;
  }
  std::size_t at = authority.rfind('@');
  if (out.protocol == Protocol::mx && at != std::string_view::npos)
    refuse("a domain has no user; expected mx:DOMAIN");
  if (at == std::string_view::npos && !out.relays()) {
    refuse(
        fmt::format("no user in the URL; expected {}://USER@HOST[:PORT]. A ? in a user name is "
                    "written %3F",
                    scheme.name));
  }
  if (at != std::string_view::npos) parse_user(authority.substr(0, at), out);
  parse_host(at == std::string_view::npos ? authority : authority.substr(at + 1), out);
  if (question != std::string_view::npos) parse_query(rest.substr(question + 1), out);
  return out;
}

std::string Endpoint::identity() const {
  // With the labels as folders there are other folders, with other messages in them.
  if (in_files())
    return std::string(name_of(protocol)) + ":" + path +
           (labels.empty() ? "" : "?labels=" + labels);
  const std::string to = relays() ? "?recipient=" + escape(recipient, "?&") : "";
  if (!path.empty()) return fmt::format("{}:{}{}", name_of(protocol), escape(path, "?"), to);
  if (protocol == Protocol::mx) return fmt::format("mx:{}:{}{}", bracketed(host), port, to);
  const std::string login = user.empty() ? "" : escape(user, ":?") + "@";
  return fmt::format("{}://{}{}:{}{}{}", name_of(protocol), login, bracketed(host), port,
                     authzid.empty() ? "" : "?as=" + escape(authzid, "&"), to);
}

std::string Endpoint::to_string() const {
  if (in_files()) {
    return fmt::format("{}:{}{}{}", name_of(protocol), escape(path, "?"),
                       layout.empty() ? "" : "?layout=" + layout,
                       labels.empty() ? "" : "?labels=" + labels);
  }
  if (!path.empty()) return fmt::format("{}:{}", name_of(protocol), escape(path, "?"));
  const std::string scheme = std::string(name_of(protocol)) + (tls == TlsMode::implicit ? "s" : "");
  std::string out = scheme + (protocol == Protocol::mx ? ":" : "://");
  if (!user.empty()) out += escape(user, ":?") + "@";
  out += bracketed(host);
  for (const Scheme& known : kSchemes) {
    if (known.name == scheme && known.port != port) out += fmt::format(":{}", port);
  }
  char separator = '?';
  auto option = [&](const std::string& text) {
    out += separator + text;
    separator = '&';
  };
  if (tls == TlsMode::none && protocol != Protocol::lmtp) option("tls=none");
  if (tls == TlsMode::starttls && protocol == Protocol::mx) option("tls=required");
  if (!verify) option("verify=no");
  if (!authzid.empty()) option("as=" + escape(authzid, "&"));
  return out;
}

}  // namespace postferry
