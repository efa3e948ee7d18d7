#include "service/cli/help.h"

#include "service/cli/text.h"

namespace hallmark::cli {
namespace {

constexpr std::size_t kVerbColumn = 28;

}  // namespace

std::string TypeOf(const CLI::Option& option) {
  // CLI11 appends what its validators check, which the description says in words.
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::string Synopsis(const CLI::Option& option) {
  std::string text;
  for (const std::string& name : option.get_snames()) {
    text += (text.empty() ? "-" : ", -") + name;
  }
  for (const std::string& name : option.get_lnames()) {
    text += (text.empty() ? "--" : ", --") + name;
  }
  if (text.empty()) text = option.get_name(true);
  if (const std::string type = TypeOf(option); !type.empty()) text += " " + type;
  if (option.get_items_expected_max() > 1) text += "...";
  return text;
}

std::vector<const CLI::App*> VisibleCommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
}

std::vector<const CLI::Option*> VisibleOptions(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return !option->get_group().empty(); });
}

std::string HelpFormatter::make_description(const CLI::App* app) const {
  return app->get_description().empty() ? "" : Wrap(app->get_description(), 0) + "\n";
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool /*is_positional*/) const {
  std::string text = "  " + Synopsis(*option);
  if (option->get_required()) text += " (required)";
  if (!option->get_envname().empty()) text += " (or " + option->get_envname() + ")";
  return text + "\n" + Wrap(option->get_description(), 6);
}

std::string HelpFormatter::make_subcommand(const CLI::App* app) const {
  std::string name = "  " + app->get_name();
  if (name.size() + 2 > kVerbColumn) {
    name += "\n" + std::string(kVerbColumn, ' ');
  } else {
    name.resize(kVerbColumn, ' ');
  }
  return name + Wrap(FirstSentence(app->get_description()), kVerbColumn).substr(kVerbColumn);
}

std::string HelpFormatter::make_footer(const CLI::App* app) const {
  return app->get_footer().empty() ? "" : app->get_footer() + "\n";
}

}  // namespace hallmark::cli
