#include "service/cli/manual.h"

#include "service/cli/examples.h"
#include "service/cli/help.h"
#include "service/config/config_reference.h"

#include <cctype>
#include <map>
#include <string_view>
#include <vector>

namespace hallmark::cli {
namespace {

// Text as roff shows it literally: no sign of it is a request, a hyphen stays a hyphen.
std::string Escaped(std::string_view text) {
  std::string escaped;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) escaped += "\\&";
    line_begins = c == '\n';
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else if (c == '~') {
      escaped += "\\(ti";
    } else if (c == '^') {
      escaped += "\\(ha";
    } else if (c == '`' || c == '\'') {
      escaped += c == '`' ? "\\(ga" : "\\(aq";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

// Lines of prose; each break in `text` begins a new line.
std::string Prose(std::string_view text) {
  std::string prose;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (!prose.empty()) prose += ".br\n";
    prose += Escaped(text.substr(0, end)) + "\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return prose;
}

std::string Section(const std::string& name) { return ".SH " + name + "\n"; }

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string Item(std::string_view term, std::string_view text) {
  return ".TP\n.B " + Escaped(term) + "\n" + Prose(text);
}

std::string Heading(const std::string& name, const std::string& section, const std::string& version,
                    const std::string& summary) {
  // Without a date: the page is made by every build, and changes with its program alone.
  return ".\\\" Made by `hallmark man`.\n.TH " + Upper(name) + " " + section + " \"\" \"Hallmark " +
         version + "\" \"Hallmark\"\n" + Section("NAME") + name + " \\- " + summary + "\n";
}

std::string OptionItem(const CLI::Option& option) {
  std::string text = option.get_description();
  if (option.get_required()) text += text.empty() ? "Required." : "\nRequired.";
  if (!option.get_envname().empty()) text += "\nOr the environment's " + option.get_envname() + ".";
  return Item(Synopsis(option), text.empty() ? "See above." : text);
}

std::string ExampleItems(std::string_view verb) {
  std::string items;
  for (const Example& example : Examples()) {
    if (example.verb != verb) continue;
    items += ".PP\n" + Escaped(example.text) + "\n.PP\n.RS 4\n.nf\n" +
             Escaped(example.command_line) + "\n.fi\n.RE\n";
  }
  return items;
}

// A verb under its heading, then those below it.
std::string VerbItems(const CLI::App& verb, const std::string& path) {
  std::string items;
  const auto inner = VisibleCommands(verb);
  if (inner.empty()) {
    items += ".SS \"" + Escaped(path) + "\"\n" + Prose(verb.get_description());
    for (const CLI::Option* option : VisibleOptions(verb)) {
      if (option != verb.get_help_ptr()) items += OptionItem(*option);
    }
    items += ExampleItems(path);
  }
  for (const CLI::App* next : inner) items += VerbItems(*next, path + " " + next->get_name());
  return items;
}

}  // namespace

std::string ClientManual(const CLI::App& root, const std::string& version) {
  std::string page = Heading("hallmark", "1", version, "MACs from a PKCS#11 token over gRPC");
  page += Section("SYNOPSIS") + ".B hallmark\n.RI [ OPTIONS ]\n.I VERB\n.RI [ FLAGS ]\n" +
          Section("DESCRIPTION") + Prose(root.get_description()) + ".PP\n" +
          Prose(
              "Verbs and flags are those of aws kms. A failed call prints the exception's name "
              "and text to standard error.");
  page += Section("OPTIONS") + Prose("These stand before or after the verb.");
  for (const CLI::Option* option : VisibleOptions(root)) page += OptionItem(*option);
  std::vector<std::string> groups;
  std::map<std::string, std::string> sections;
  for (const CLI::App* verb : VisibleCommands(root)) {
    std::string& section = sections[verb->get_group()];
    if (section.empty()) groups.push_back(verb->get_group());
    section += VerbItems(*verb, verb->get_name());
  }
  for (const std::string& group : groups) {
    page += Section("\"" + Upper(group) + "\"") + sections[group];
  }
  page += Section("\"EXIT STATUS\"") + Item("0", "Success.") +
          Item("252", "The command line is wrong, or the file of a value cannot be read.") +
          Item("254", "The service refused; standard error names the exception.") +
          Item("255", "Anything else: no connection, a certificate that cannot be read.");
  page += Section("FILES") + Item("~/.hallmark/hallmarkd.toml",
                                  "The daemon that administration is for, unless --home says "
                                  "another folder.");
  return page + Section("\"SEE ALSO\"") + ".BR hallmarkd (8)\n";
}

std::string DaemonManual(const std::string& version) {
  std::string page = Heading("hallmarkd", "8", version, "serve MACs from a PKCS#11 token");
  page += Section("SYNOPSIS") + ".B hallmarkd \\-\\-config\n.I FILE\n.br\n" +
          ".B hallmarkd \\-\\-check\\-config\n.I FILE\n";
  page +=
      Section("DESCRIPTION") +
      Prose(
          "Serves hallmark.v1.KeyService over mutual TLS, the protocol of AWS KMS over HTTPS if "
          "aws.listen says where, and administration on a Unix socket. The token is made known "
          "once, before the first start, by hallmark token "
          "init.");
  page += Section("OPTIONS") + Item("--config FILE", "Serve with this configuration.") +
          Item("--check-config FILE",
               "Print every mistake in a configuration with its line, and end. Also looks for the "
               "files that it names; run it as the user of the daemon.") +
          Item("--version", "Print the version.") + Item("-h, --help", "Print the flags.");
  page +=
      Section("SIGNALS") +
      Item("SIGTERM, SIGINT", "Finish the calls under way and end; a second one ends at once.") +
      Item("SIGHUP", "Read the configuration again and take over what needs no restart: " +
                         service::LiveKeys() +
                         ". A file with mistakes changes nothing; the log tells either way.");
  page += Section("\"EXIT STATUS\"") + Item("0", "Ended by a signal, after the calls under way.") +
          Item("64", "The command line is wrong.") + Item("69", "The token is absent.") +
          Item("70", "The token answered with an error.") + Item("71", "A port is in use.") +
          Item("74", "The store cannot be read or written.") +
          Item("75", "Another daemon holds the store, or too many calls to the token hang.") +
          Item("77", "The token refused the PIN.") +
          Item("78", "The configuration or the certificates are wrong, or the store is newer.");
  page += Section("CONFIGURATION") +
          Prose(
              "A TOML file. Relative paths start at its folder. A key that does not exist is a "
              "mistake.");
  for (const service::SectionHelp& section : service::ConfigReference()) {
    if (!section.name.empty()) {
      page += ".SS \"" + Escaped("[" + std::string(section.name) + "]") + "\"\n";
    }
    if (!section.help.empty()) page += Prose(section.help);
    for (const service::KeyHelp& key : section.keys) {
      page += Item(key.name, std::string(key.help) +
                                 (key.has_default ? "\nDefault: " : "\nNo default; for example ") +
                                 std::string(key.value));
    }
  }
  return page + Section("\"SEE ALSO\"") + ".BR hallmark (1)\n";
}

}  // namespace hallmark::cli
