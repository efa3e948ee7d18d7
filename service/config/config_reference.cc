#include "service/config/config_reference.h"

#include "service/config/config.h"

#include <array>

namespace hallmark::service {
namespace {

constexpr std::array kTop{
    KeyHelp{"endpoints_file", "\"\"", true,
            "File into which the daemon writes the addresses it listens on, once it serves; for "
            "scripts that use port 0. Empty: none is written."},
    KeyHelp{
        "default_token", "\"\"", true,
        "Id of the token that makes the keys for which CreateKey names none. Needed where several "
        "are configured, and not to be changed: markers, grant tokens and secret access keys "
        "come from its anchor, so it must be there at every start. Empty: the only one."},
};
constexpr std::array kSite{
    KeyHelp{"partition", "\"aws\"", true, "The second part of every ARN."},
    KeyHelp{"region", "\"us-west-2\"", true, "The Region in every ARN."},
};
constexpr std::array kGrpc{
    KeyHelp{"listen", "\"127.0.0.1:9443\"", true,
            "IP address and port for callers, with TLS. Port 0: the system chooses; see "
            "endpoints_file."},
    KeyHelp{"max_connections", "1000", true,
            "Open connections; more are refused before the handshake. At least 1: zero would serve "
            "nobody."},
    KeyHelp{"max_connections_per_address", "256", true,
            "The same from one address; at most max_connections."},
    KeyHelp{"handshake_timeout_ms", "5000", true,
            "Milliseconds that a client has for the TLS handshake; 100 to 60000."},
    KeyHelp{"max_call_ms", "10000", true,
            "Milliseconds after which a call is answered with a time-out, whatever deadline the "
            "client set, over gRPC and AWS's protocol; 100 to 600000."},
    KeyHelp{"drain_timeout_ms", "10000", true,
            "Milliseconds that calls under way have to finish after SIGTERM, of both protocols; at "
            "most 600000. 0: they are cut off at once."},
};
constexpr std::array kAws{
    KeyHelp{"listen", "\"\"", true,
            "IP address and port for the clients of AWS KMS (HTTPS), like \"127.0.0.1:9444\". Port "
            "0: the system chooses; see endpoints_file. Empty: not served."},
    KeyHelp{"max_connections", "1000", true,
            "Open connections; more are refused before the handshake. At least 1."},
    KeyHelp{"max_connections_per_address", "256", true,
            "The same from one address; at most max_connections."},
    KeyHelp{"handshake_timeout_ms", "5000", true,
            "Milliseconds that a client has for the TLS handshake; 100 to 60000."},
    KeyHelp{
        "request_timeout_ms", "10000", true,
        "Milliseconds that a client has for the headers of a request once it has begun, for its "
        "body, and for taking the answer; 100 to 600000."},
    KeyHelp{"idle_timeout_ms", "60000", true,
            "Milliseconds that a connection may wait for its next request; 100 to 3600000."},
};
constexpr std::array kSigv4{
    KeyHelp{
        "allow_replay", "false", true,
        "true: a signature that was seen before is taken again, for operations that change "
        "something, too. Others may always be repeated within the five minutes that a signature "
        "is good for."},
};
constexpr std::array kTls{
    KeyHelp{"certificate", "\"tls/server.pem\"", true,
            "PEM file with the server's certificate, and those between it and its authority."},
    KeyHelp{"private_key", "\"tls/server.key\"", true,
            "PEM file with its private key, readable by the daemon alone."},
    KeyHelp{"client_ca", "\"tls/ca.pem\"", true,
            "PEM file with the authority of client certificates. A certificate alone gives no "
            "rights: the store lists, per principal, the certificates by which it is known."},
    KeyHelp{"trust_domains", "\"\"", true,
            "Folder with a PEM file for each SPIFFE trust domain, named after it: example.org.pem "
            "has the authorities that may issue certificates for spiffe://example.org/... and "
            "nobody else's. Empty: SPIFFE ids count for nothing."},
};
constexpr std::array kLimits{
    KeyHelp{"keys_per_account", "100000", true, "Keys of one account; at least 1."},
    KeyHelp{"keys_per_token", "0", true,
            "Keys on each token. Some tokens become slow, or fail, long before they refuse. 0: as "
            "many as it takes."},
    KeyHelp{
        "principal_macs_per_second", "0", true,
        "MACs per second that one principal may have made or verified, a second's worth of them "
        "at once; what is beyond is ThrottlingException. GenerateMac's dry runs do not count. At "
        "most 1000000. 0: any number."},
    KeyHelp{"key_macs_per_second", "0", true, "The same for one key, whoever uses it."},
};
constexpr std::array kAdmin{
    KeyHelp{"socket", "\"admin.sock\"", true,
            "Unix socket for administration (by the user of the daemon) and for health probes."},
};
constexpr std::array kStore{
    KeyHelp{
        "directory", "\"store\"", true,
        "Folder of the database, made if it is missing (its parent is not); one daemon holds it "
        "at a time."},
};
constexpr std::array kMetrics{
    KeyHelp{"listen", "\"127.0.0.1:0\"", true,
            "Address for Prometheus over HTTP, without access control and therefore on loopback "
            "only. Port 0: the system chooses. Empty: no listener."},
};
constexpr std::array kLog{
    KeyHelp{"level", "\"info\"", true,
            "\"debug\" shows every MAC and every read, \"info\" changes and refusals, \"warning\" "
            "failures of the service, \"error\" what needs an operator."},
    KeyHelp{"format", "\"json\"", true,
            "\"json\": one object a line. \"text\": one line of name=value for people."},
    KeyHelp{"file", "\"\"", true, "File to append to. Empty: standard error."},
};
constexpr std::array kAudit{
    KeyHelp{
        "file", "\"audit.jsonl\"", true,
        "File to which the record of every call is appended, one JSON object a line, before the "
        "call is answered. While it cannot be written nothing is answered. Opened anew by a "
        "reload, so "
        "it may be renamed before."},
};
constexpr std::array kToken{
    KeyHelp{"module", "\"/usr/lib/softhsm/libsofthsm2.so\"", false, "The vendor's PKCS#11 module."},
    KeyHelp{"uri", "\"pkcs11:token=hallmark?pin-source=user.pin\"", false,
            "Which token, by RFC 7512, and the file that holds the user PIN (mode 0600). The PIN "
            "itself (pin-value) is refused here."},
    KeyHelp{"init_args", "\"\"", true,
            "Text for the module's C_Initialize, for modules that need one (NSS). Empty: none."},
    KeyHelp{
        "sync_path", "\"\"", true,
        "For tokens that keep their keys in files: the folder of those files, like SoftHSM's token "
        "folder. Its file system is synced before a new key counts as durable, and what SoftHSM "
        "would lose if it were killed during a login is copied to the state folder. Empty: the "
        "token is durable by itself."},
    KeyHelp{"sessions", "0", true,
            "Sessions that compute MACs, each with a thread; at most 1024. 0: twice the number of "
            "processors, within what the token allows."},
    KeyHelp{"max_queued", "4096", true,
            "MACs that may wait for a session; more are refused at once. 1 to 1000000."},
    KeyHelp{"hung_call_limit_ms", "30000", true,
            "Milliseconds after which a MAC that the token has not answered, nor by the caller's "
            "deadline, counts as hung for ever: its thread and session are replaced. 100 to "
            "3600000."},
    KeyHelp{"max_hung_calls", "16", true,
            "Hung MACs that are replaced at a time; at most 1024. At one more the daemon ends with "
            "exit status 75, for its supervisor to start another. 0: at the first."},
    KeyHelp{"hosts", "0", true,
            "Processes in which the token's module is called in place of this one, each with "
            "`sessions`: one that hangs or dies is replaced while the others serve. At most 16. 0: "
            "the module is called in this process, and hung calls count as above."},
    KeyHelp{
        "host_user", "\"\"", true,
        "The user as whom hosts run; hallmarkd must be started as root to choose one. Empty: the "
        "same as hallmarkd."},
    KeyHelp{"host_directory", "\"\"", true,
            "With host_user: a folder of that user, mode 0700, for what must be remembered of the "
            "token, such as a PIN that was refused."},
    KeyHelp{"host_hang_limit_ms", "2000", true,
            "Milliseconds after which a host that has not answered a MAC is replaced. 100 to "
            "3600000."},
    KeyHelp{"key_copies", "false", true,
            "true: new keys are made so that copies of them can be kept in sessions "
            "(CKA_MODIFIABLE), which some tokens need to be fast. It cannot be changed for a key "
            "that exists."},
    KeyHelp{"accept_weak_token", "\"\"", true,
            "Why a token that lets keys be taken out by whoever may log in to it (hallmark doctor "
            "tells) may be used nevertheless, as \"for tests alone\". Empty: hallmark token init "
            "refuses such a token."},
};

constexpr std::array kReference{
    SectionHelp{"", "", kTop},
    SectionHelp{"site", "Where the service stands. A store keeps for ever what it was made with.",
                kSite},
    SectionHelp{"grpc", "The service for callers.", kGrpc},
    SectionHelp{"aws", "The service for clients of AWS KMS.", kAws},
    SectionHelp{"sigv4", "How their requests are signed.", kSigv4},
    SectionHelp{"tls", "Who we are to callers, and whom we let connect.", kTls},
    SectionHelp{"limits",
                "How many keys there may be, in every state (CreateKey beyond is "
                "LimitExceededException), and how often they may be used.",
                kLimits},
    SectionHelp{"admin", "", kAdmin},
    SectionHelp{"store", "", kStore},
    SectionHelp{"metrics", "", kMetrics},
    SectionHelp{"log", "", kLog},
    SectionHelp{"audit", "", kAudit},
    SectionHelp{
        "token.main",
        "A token that holds keys; each has a section like this. \"main\" is its id, under which "
        "the "
        "store knows it. One that is not there at the start is taken up when it appears, but for "
        "the default one.",
        kToken},
};

// Lines of a comment, broken between words.
std::string Comment(std::string_view text) {
  constexpr std::size_t kWidth = 100;
  std::string comment;
  std::string line = "#";
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    if (line.size() + 1 + word.size() > kWidth) {
      comment += line + "\n";
      line = "#";
    }
    line.append(" ").append(word);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return comment + line + "\n";
}

}  // namespace

std::span<const SectionHelp> ConfigReference() { return kReference; }

std::string LiveKeys() {
  std::string keys;
  for (const std::string& key : ConfigKeys()) {
    if (IsLive(key)) keys += (keys.empty() ? "" : ", ") + key;
  }
  return keys;
}

std::string ExampleConfig() {
  std::string text =
      "# Configuration of hallmarkd. Every key is here; a value that is commented out is the "
      "default.\n# Relative paths start at the folder of this file. `hallmarkd --check-config "
      "FILE` "
      "checks a file.\n# A key that does not exist is a mistake, so a typo is never a silent "
      "default.\n#\n# This file is made from service/config/config_reference.cc, and so is "
      "hallmarkd(8).\n#\n";
  text += Comment(
      "A change takes effect at the next start. These keys are taken over by `systemctl "
      "reload hallmarkd` or SIGHUP too, which also read the TLS files anew and begin a "
      "log file that was renamed: " +
      LiveKeys() + ".");
  for (const SectionHelp& section : kReference) {
    text += "\n";
    if (!section.help.empty()) text += Comment(section.help);
    if (!section.name.empty()) text += "[" + std::string(section.name) + "]\n";
    for (const KeyHelp& key : section.keys) {
      if (&key != section.keys.data()) text += "\n";
      text += Comment(key.help) + (key.has_default ? "# " : "") + std::string(key.name) + " = " +
              std::string(key.value) + "\n";
    }
  }
  return text;
}

}  // namespace hallmark::service
