// The refusal of a policy document.
#pragma once

#include "keystate/result.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace hallmark {

// MalformedPolicyDocumentException "<place>: <reason>"; the place as "statement 2, Condition".
Unexpected<Error> MalformedPolicy(const std::string& place, const std::string& reason);

// The text, cut between characters after at most so many bytes; then "..." stands behind it.
std::string Shortened(std::string_view text, std::size_t most_bytes);

// What a document holds, in quotes, for an error text: cut after 64 bytes, so that a refusal stays
// short however long the document's names are.
std::string Quoted(std::string_view text);

}  // namespace hallmark
