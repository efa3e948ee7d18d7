#include "service/cli/completion.h"

#include "service/cli/help.h"
#include "service/cli/text.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace hallmark::cli {
namespace {

// A verb with the words that lead to it: "principal add"; "" for `hallmark` itself.
struct Node {
  std::string path;
  const CLI::App* app;
};

void Collect(const std::string& path, const CLI::App& app, std::vector<Node>& nodes) {
  nodes.push_back({path, &app});
  for (const CLI::App* verb : VisibleCommands(app)) {
    Collect((path.empty() ? "" : path + " ") + verb->get_name(), *verb, nodes);
  }
}

std::vector<Node> NodesOf(const CLI::App& root) {
  std::vector<Node> nodes;
  Collect("", root, nodes);
  return nodes;
}

std::vector<std::string> NamesOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  return names;
}

// What follows the option: nothing for a flag, words, or one of @file, @folder, @blob and @text.
std::string ValueOf(const CLI::Option& option, const Commands& commands) {
  if (const auto known = commands.choices.find(&option); known != commands.choices.end()) {
    std::string words;
    for (const std::string& word : known->second) words += (words.empty() ? "" : " ") + word;
    return words;
  }
  const std::string type = TypeOf(option);
  if (type.empty()) return "";
  if (type == kFileType) return "@file";
  if (type == kFolderType) return "@folder";
  if (type == kBlobType) return "@blob";
  return "@text";
}

// The words of `hallmark completion SHELL`, which stand where other verbs have verbs.
std::string PositionalWords(const CLI::App& app, const Commands& commands) {
  for (const CLI::Option* option : VisibleOptions(app)) {
    if (option->get_positional()) return ValueOf(*option, commands);
  }
  return {};
}

// Within single quotes of every shell that we write for.
std::string Quoted(std::string_view text) {
  std::string quoted;
  for (const char c : text) quoted += c == '\'' ? std::string("\u2019") : std::string(1, c);
  return "'" + quoted + "'";
}

std::string Summary(const std::string& description) {
  return std::string(FirstSentence(description));
}

// The tables that the functions for bash and zsh look things up in: the same syntax in both.
std::string Tables(const CLI::App& root, const Commands& commands) {
  std::string verbs;
  std::string flags;
  std::string values;
  for (const Node& node : NodesOf(root)) {
    std::string verb_words = PositionalWords(*node.app, commands);
    for (const CLI::App* verb : VisibleCommands(*node.app)) {
      verb_words += (verb_words.empty() ? "" : " ") + verb->get_name();
    }
    if (!verb_words.empty()) verbs += "    '" + node.path + "') echo '" + verb_words + "' ;;\n";
    std::string flag_words;
    for (const CLI::Option* option : VisibleOptions(*node.app)) {
      const std::string value = ValueOf(*option, commands);
      for (const std::string& name : NamesOf(*option)) {
        flag_words += (flag_words.empty() ? "" : " ") + name;
        if (!value.empty()) {
          values += "    '" + node.path + " " + name + "') echo '" + value + "' ;;\n";
        }
      }
    }
    flags += "    '" + node.path + "') echo '" + flag_words + "' ;;\n";
  }
  return "_hallmark_verbs() {\n  case \"$1\" in\n" + verbs + "  esac\n}\n\n" +
         "_hallmark_flags() {\n  case \"$1\" in\n" + flags + "  esac\n}\n\n" +
         "_hallmark_value() {\n  case \"$1 $2\" in\n" + values + "  esac\n}\n";
}

// bash ends a word at ':' and '=', so fileb://x is several for it. The line is split at blanks
// here, and what stands before the last of those signs is taken off the answers again.
constexpr std::string_view kBash = R"sh(
_hallmark() {
  local line="${COMP_LINE:0:COMP_POINT}" verb='' awaited='' word value cur prefix=''
  local -a typed
  read -ra typed <<<"$line"
  [[ "$line" == *[[:space:]] ]] && typed+=('')
  cur="${typed[${#typed[@]} - 1]}"
  COMPREPLY=()
  for word in "${typed[@]:1:${#typed[@]}-2}"; do
    if [[ -n "$awaited" ]]; then
      awaited=''
    elif [[ "$word" == -* ]]; then
      [[ "$word" == *=* ]] && continue
      value="$(_hallmark_value "$verb" "$word")"
      awaited="${value:-$(_hallmark_value '' "$word")}"
    elif [[ " $(_hallmark_verbs "$verb") " == *" $word "* ]]; then
      verb="${verb:+$verb }$word"
    fi
  done
  if [[ -z "$awaited" && "$cur" == --*=* ]]; then
    awaited="$(_hallmark_value "$verb" "${cur%%=*}")"
    awaited="${awaited:-$(_hallmark_value '' "${cur%%=*}")}"
    [[ "$COMP_WORDBREAKS" == *=* ]] || prefix="${cur%%=*}="
    cur="${cur#*=}"
  fi
  case "$awaited" in
    '')
      if [[ "$cur" == -* || -z "$(_hallmark_verbs "$verb")" ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_hallmark_flags "$verb") $(_hallmark_flags '')" -- "$cur")
      else
        mapfile -t COMPREPLY < <(compgen -W "$(_hallmark_verbs "$verb")" -- "$cur")
      fi
      ;;
    @text) ;;
    @file)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      ;;
    @folder)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$cur")
      ;;
    @blob)
      compopt -o nospace 2>/dev/null
      if [[ "$cur" == file://* || "$cur" == fileb://* ]]; then
        local scheme="${cur%%://*}://"
        mapfile -t COMPREPLY < <(compgen -f -- "${cur#"$scheme"}")
        for word in "${!COMPREPLY[@]}"; do
          [[ -d "${COMPREPLY[word]}" ]] && COMPREPLY[word]+='/'
          COMPREPLY[word]="$scheme${COMPREPLY[word]}"
        done
      else
        mapfile -t COMPREPLY < <(compgen -W 'fileb:// file://' -- "$cur")
      fi
      if [[ "$COMP_WORDBREAKS" == *:* && "$cur" == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
      fi
      ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$awaited" -- "$cur") ;;
  esac
  if [[ -n "$prefix" ]]; then COMPREPLY=("${COMPREPLY[@]/#/$prefix}"); fi
}
complete -F _hallmark hallmark
)sh";

constexpr std::string_view kZsh = R"sh(
_hallmark() {
  local verb='' awaited='' word value
  for word in "${(@)words[2,CURRENT-1]}"; do
    if [[ -n "$awaited" ]]; then
      awaited=''
    elif [[ "$word" == -* ]]; then
      [[ "$word" == *=* ]] && continue
      value="$(_hallmark_value "$verb" "$word")"
      awaited="${value:-$(_hallmark_value '' "$word")}"
    elif [[ " $(_hallmark_verbs "$verb") " == *" $word "* ]]; then
      verb="${verb:+$verb }$word"
    fi
  done
  if [[ -z "$awaited" && "$PREFIX" == --*=* ]]; then
    value="${PREFIX%%=*}"
    awaited="$(_hallmark_value "$verb" "$value")"
    awaited="${awaited:-$(_hallmark_value '' "$value")}"
    compset -P '*='
  fi
  case "$awaited" in
    '')
      if [[ "$PREFIX" == -* || -z "$(_hallmark_verbs "$verb")" ]]; then
        value="$(_hallmark_flags "$verb") $(_hallmark_flags '')"
      else
        value="$(_hallmark_verbs "$verb")"
      fi
      compadd -- ${=value}
      ;;
    @text) _message 'text' ;;
    @file) _files ;;
    @folder) _files -/ ;;
    @blob)
      if compset -P 'file(b|)://'; then _files; else compadd -S '' -- fileb:// file://; fi
      ;;
    *) compadd -- ${=awaited} ;;
  esac
}
_hallmark "$@"
)sh";

constexpr std::string_view kFish = R"sh(
function __hallmark_blob
    set -l token (commandline -ct)
    set -l scheme (string match -r '^fileb?://' -- $token)
    if test -n "$scheme"
        for file in (__fish_complete_path (string replace -r '^fileb?://' '' -- $token))
            echo $scheme$file
        end
    else
        printf '%s\n' fileb:// file://
    end
end

complete -c hallmark -f
)sh";

// When fish is to offer what belongs to the verb at `path`.
std::string FishCondition(const std::string& path) {
  std::string condition;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find(' ', begin), path.size());
    condition += (condition.empty() ? "" : "; and ") +
                 ("__fish_seen_subcommand_from " + path.substr(begin, end - begin));
    begin = end + 1;
  }
  return condition;
}

std::string FishOption(const CLI::Option& option, const std::string& condition,
                       const Commands& commands) {
  std::string line = "complete -c hallmark";
  if (!condition.empty()) line += " -n " + Quoted(condition);
  for (const std::string& name : option.get_lnames()) line += " -l " + name;
  for (const std::string& name : option.get_snames()) line += " -s " + name;
  const std::string value = ValueOf(option, commands);
  if (value == "@file" || value == "@folder") {
    line += " -rF";
  } else if (value == "@blob") {
    line += " -xa '(__hallmark_blob)'";
  } else if (value == "@text") {
    line += " -x";
  } else if (!value.empty()) {
    line += " -xa " + Quoted(value);
  }
  return line + " -d " + Quoted(Summary(option.get_description())) + "\n";
}

}  // namespace

std::string BashCompletion(const CLI::App& root, const Commands& commands) {
  return "# bash completion for hallmark, made by `hallmark completion bash`.\n\n" +
         Tables(root, commands) + std::string(kBash);
}

std::string ZshCompletion(const CLI::App& root, const Commands& commands) {
  return "#compdef hallmark\n# Made by `hallmark completion zsh`.\n\n" + Tables(root, commands) +
         std::string(kZsh);
}

std::string FishCompletion(const CLI::App& root, const Commands& commands) {
  std::string script = "# Made by `hallmark completion fish`." + std::string(kFish);
  for (const Node& node : NodesOf(root)) {
    const std::string condition = FishCondition(node.path);
    const auto verbs = VisibleCommands(*node.app);
    std::string names;
    for (const CLI::App* verb : verbs) names += " " + verb->get_name();
    for (const CLI::App* verb : verbs) {
      const std::string when = (condition.empty() ? "" : condition + "; and ") +
                               "not __fish_seen_subcommand_from" + names;
      script += "complete -c hallmark -n " + Quoted(when) + " -a " + verb->get_name() + " -d " +
                Quoted(Summary(verb->get_description())) + "\n";
    }
    if (const std::string words = PositionalWords(*node.app, commands); !words.empty()) {
      script += "complete -c hallmark -n " + Quoted(condition) + " -a " + Quoted(words) + "\n";
    }
    for (const CLI::Option* option : VisibleOptions(*node.app)) {
      if (!option->get_positional()) script += FishOption(*option, condition, commands);
    }
  }
  return script;
}

}  // namespace hallmark::cli
