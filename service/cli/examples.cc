#include "service/cli/examples.h"

#include <array>

namespace hallmark::cli {
namespace {

constexpr std::array kExamples{
    Example{"create-key", "An HMAC key, made in the token:",
            "hallmark create-key --key-spec HMAC_256 --key-usage GENERATE_VERIFY_MAC "
            "--description \"orders of the shop\""},
    Example{"create-key", "A script that may be run again without making a second key:",
            "hallmark create-key --key-spec HMAC_256 --key-usage GENERATE_VERIFY_MAC "
            "--client-token orders-2026"},
    Example{"create-alias", "A name for it:",
            "hallmark create-alias --alias-name alias/orders --target-key-id "
            "7f4aba53-e15c-42ad-bafe-3359afae217d"},
    Example{"generate-mac", "The MAC of a file of up to 4096 bytes:",
            "hallmark generate-mac --key-id alias/orders --message fileb://order.json "
            "--mac-algorithm HMAC_SHA_256"},
    Example{"verify-mac", "Whether a MAC is right, by the exit code:",
            "hallmark verify-mac --key-id alias/orders --message fileb://order.json "
            "--mac-algorithm HMAC_SHA_256 --mac fileb://order.mac"},
    Example{"explain", "Why this caller may not use a key:",
            "hallmark explain --operation GenerateMac --key-id alias/orders"},
    Example{"explain", "What somebody else could do from another address, with hallmark:Explain:",
            "hallmark explain --operation GenerateMac --key-id alias/orders --principal "
            "arn:aws:iam::111122223333:user/Shop --context aws:SourceIp=10.0.0.1"},
    Example{"put-key-policy", "A policy from a file, in the place of the present one:",
            "hallmark put-key-policy --key-id 7f4aba53-e15c-42ad-bafe-3359afae217d --policy "
            "file://key-policy.json"},
    Example{"create-grant", "The MACs of one key for another principal:",
            "hallmark create-grant --key-id 7f4aba53-e15c-42ad-bafe-3359afae217d "
            "--grantee-principal arn:aws:iam::111122223333:user/Shop --operations GenerateMac "
            "VerifyMac"},
    Example{"revoke-grant", "And no longer, from the next call on:",
            "hallmark revoke-grant --key-id 7f4aba53-e15c-42ad-bafe-3359afae217d --grant-id "
            "ca090012804fee50a9b9a8afa8a0007098a6f5991adc74ef1db542e1291543e5"},
    Example{"principal explain", "The same on the daemon's machine, without a permission:",
            "hallmark principal explain --principal arn:aws:iam::111122223333:user/Shop "
            "--operation GenerateMac --key-id alias/orders"},
    Example{"principal add", "A caller with a policy of its own:",
            "hallmark principal add --arn arn:aws:iam::111122223333:user/Shop --policy "
            "mac-only.json"},
    Example{"principal rotate", "New credentials now, the old ones until the shop has switched:",
            "hallmark principal rotate --arn arn:aws:iam::111122223333:user/Shop --keep-old"},
    Example{"principal attach-policy", "What the shop may do from now on:",
            "hallmark principal attach-policy --arn arn:aws:iam::111122223333:user/Shop "
            "--policy mac-only.json"},
    Example{"principal attach-policy", "What it may do at most, whatever its policy allows:",
            "hallmark principal attach-policy --arn arn:aws:iam::111122223333:user/Shop "
            "--policy limit.json --permissions-boundary"},
    Example{"principal tag", "For policies that ask for aws:PrincipalTag/team:",
            "hallmark principal tag --arn arn:aws:iam::111122223333:user/Shop --tags "
            "Key=team,Value=orders"},
    Example{"token init",
            "Before the first start of the daemon:", "hallmark token init --home /etc/hallmark"},
    Example{"token adopt", "The second holder of a key whose object was cloned to token backup:",
            "hallmark token adopt --key-id 7f4aba53-e15c-42ad-bafe-3359afae217d --token backup "
            "--cka-id 00112233445566778899aabbccddeeff"},
    Example{"token drain",
            "Before a token is taken out for maintenance:", "hallmark token drain --token main"},
    Example{"doctor", "Before a token is used, and after its driver was changed:",
            "hallmark doctor --token main"},
    Example{"completion", "For bash, for this user:",
            "hallmark completion bash > ~/.local/share/bash-completion/completions/hallmark"},
};

// Command lines are broken between flags.
std::string Shown(std::string_view command_line) {
  constexpr std::size_t kWidth = 76;
  std::string shown = "  ";
  std::size_t column = 2;
  while (!command_line.empty()) {
    const std::size_t next_flag = command_line.find(" --", 1);
    const std::string_view part = command_line.substr(0, next_flag);
    if (column > 2 && column + part.size() > kWidth) {
      shown += " \\\n     ";
      column = 5;
    }
    shown += part;
    column += part.size();
    command_line.remove_prefix(part.size());
  }
  return shown + "\n";
}

}  // namespace

std::span<const Example> Examples() { return kExamples; }

std::string ExampleOf(std::string_view verb) {
  std::string text;
  for (const Example& example : kExamples) {
    if (example.verb != verb) continue;
    text += (text.empty() ? "Examples:\n" : "\n") + std::string("  # ") + std::string(example.text);
    text.pop_back();
    text += "\n" + Shown(example.command_line);
  }
  if (!text.empty()) text.pop_back();
  return text;
}

}  // namespace hallmark::cli
