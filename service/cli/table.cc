#include "service/cli/table.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace hallmark::cli {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

// A heading and rows of equally many cells.
struct Section {
  std::string heading;
  std::vector<Row> rows;
  bool first_row_names_columns = false;
};

// Characters, not bytes: UTF-8 continuation bytes take no room on the screen.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string Spaces(std::size_t count) { return std::string(count, ' '); }

void Collect(const std::string& heading, const Json& value, std::vector<Section>& sections);

void CollectStructure(const std::string& heading, const Json& object,
                      std::vector<Section>& sections) {
  Section own{heading, {}, false};
  for (const auto& [key, value] : object.items()) {
    if (!value.is_structured()) own.rows.push_back({key, ScalarText(value)});
  }
  sections.push_back(std::move(own));
  for (const auto& [key, value] : object.items()) {
    if (value.is_structured()) Collect(key, value, sections);
  }
}

void CollectList(const std::string& heading, const Json& items, std::vector<Section>& sections) {
  Section own{heading, {}, false};
  Row columns;
  for (const Json& item : items) {
    if (!item.is_object()) continue;
    for (const auto& [key, value] : item.items()) {
      if (std::find(columns.begin(), columns.end(), key) == columns.end()) columns.push_back(key);
    }
  }
  if (!columns.empty()) {
    own.first_row_names_columns = true;
    own.rows.push_back(columns);
  }
  for (const Json& item : items) {
    if (!item.is_object()) {
      own.rows.push_back({ScalarText(item)});
      continue;
    }
    Row row;
    for (const std::string& column : columns) {
      row.push_back(item.contains(column) ? ScalarText(item.at(column)) : std::string());
    }
    own.rows.push_back(std::move(row));
  }
  sections.push_back(std::move(own));
}

void Collect(const std::string& heading, const Json& value, std::vector<Section>& sections) {
  value.is_array() ? CollectList(heading, value, sections)
                   : CollectStructure(heading, value, sections);
}

std::vector<std::size_t> ColumnWidths(const Section& section) {
  std::vector<std::size_t> widths;
  for (const Row& row : section.rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]) + 4);
  }
  return widths;
}

// Cells and the bars between them, without the outer bars.
std::size_t InnerWidth(const std::vector<std::size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), std::size_t{0}) +
         (widths.empty() ? 0 : widths.size() - 1);
}

std::string Rule(const std::vector<std::size_t>& widths) {
  std::string line = "+";
  for (const std::size_t width : widths) line += std::string(width, '-') + "+";
  return line + "\n";
}

std::string Line(const Row& row, const std::vector<std::size_t>& widths) {
  std::string line = "|";
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += "  " + row[i] + Spaces(widths[i] - Width(row[i]) - 2) + "|";
  }
  return line + "\n";
}

std::string Centred(const std::string& text, std::size_t width) {
  const std::size_t left = (width - Width(text)) / 2;
  return "|" + Spaces(left) + text + Spaces(width - Width(text) - left) + "|\n";
}

}  // namespace

std::string ScalarText(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  return value.dump();
}

std::string RenderTable(const Json& answer, std::string_view title) {
  std::vector<Section> sections;
  Collect(std::string(title), answer, sections);

  std::size_t inner = 0;
  for (const Section& section : sections) {
    inner = std::max({inner, Width(section.heading) + 2, InnerWidth(ColumnWidths(section))});
  }
  const std::string bar = "+" + std::string(inner, '-') + "+\n";

  std::string table = bar;
  for (const Section& section : sections) {
    table += Centred(section.heading, inner);
    std::vector<std::size_t> widths = ColumnWidths(section);
    if (widths.empty()) {
      table += bar;
      continue;
    }
    widths.back() += inner - InnerWidth(widths);
    const std::string rule = Rule(widths);
    table += rule;
    for (std::size_t i = 0; i < section.rows.size(); ++i) {
      table += Line(section.rows[i], widths);
      if (i == 0 && section.first_row_names_columns) table += rule;
    }
    table += rule;
  }
  return table;
}

}  // namespace hallmark::cli
