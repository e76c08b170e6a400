// SPDX-License-Identifier: BSD-3-Clause
// https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics specification
// 1.0.0. They differ in the names of counters in comments, and in the end mark.
#include "metrics/exposition.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace drip::metrics {
namespace {

constexpr std::string_view kTotal = "_total";

void append(std::string_view text, std::string& out) { out.append(text); }

void append(std::uint64_t count, std::string& out) {
  const fmt::format_int digits(count);
  out.append(digits.data(), digits.size());
}

// Whole numbers without exponent, so that counts are exact to read; others as short as they can be
// without loss.
void write_number(double value, std::string& out) {
  constexpr double kExact = 9007199254740992;  // 2^53
  if (value == std::floor(value) && std::abs(value) <= kExact) {
    const fmt::format_int digits(static_cast<long long>(value));
    out.append(digits.data(), digits.size());
  } else if (std::isfinite(value)) {
    char digits[32];  // At most 17 digits, a point, two signs and an exponent.
    out.append(digits, fmt::format_to(digits, "{}", value));
  } else {
    append(std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf", out);
  }
}

void write_escaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '\\':
        append("\\\\", out);
        break;
      case '"':
        append("\\\"", out);
        break;
      case '\n':
        append("\\n", out);
        break;
      default:
        out.push_back(c);
    }
  }
}

// `name{labels} `. `bound`: of a bucket of a histogram, its `le`.
void write_series(std::string_view name, std::string_view suffix, const Labels& labels,
                  const double* bound, std::string& out) {
  append(name, out);
  append(suffix, out);
  char separator = '{';
  for (const ClientMetric::Label& label : labels) {
    out.push_back(separator);
    separator = ',';
    append(label.name, out);
    append("=\"", out);
    write_escaped(label.value, out);
    out.push_back('"');
  }
  if (bound != nullptr) {
    out.push_back(separator);
    separator = ',';
    append("le=\"", out);
    write_number(*bound, out);
    out.push_back('"');
  }
  if (separator == ',') out.push_back('}');
  out.push_back(' ');
}

void write_histogram(std::string_view name, const ClientMetric& metric, std::string& out) {
  const ClientMetric::Histogram& histogram = metric.histogram;
  for (const ClientMetric::Bucket& bucket : histogram.bucket) {
    write_series(name, "_bucket", metric.label, &bucket.upper_bound, out);
    append(bucket.cumulative_count, out);
    append("\n", out);
  }
  write_series(name, "_sum", metric.label, nullptr, out);
  write_number(histogram.sample_sum, out);
  append("\n", out);
  write_series(name, "_count", metric.label, nullptr, out);
  append(histogram.sample_count, out);
  append("\n", out);
}

const char* type_name(prometheus::MetricType type) {
  if (type == kCounter) return "counter";
  return type == kHistogram ? "histogram" : "gauge";
}

// About as many as their text has, or some more: so that it is not copied while it grows.
std::size_t bytes_of(std::span<const MetricFamily> families) {
  constexpr std::size_t kBytesALine = 96;
  std::size_t lines = 0;
  for (const MetricFamily& family : families) {
    lines += 2;
    for (const ClientMetric& metric : family.metric) lines += 1 + metric.histogram.bucket.size();
  }
  return lines * kBytesALine;
}

void write_family(const MetricFamily& family, TextFormat format, std::string& out) {
  std::string_view name = family.name;
  if (format == TextFormat::kOpenMetrics && family.type == kCounter && name.ends_with(kTotal)) {
    name.remove_suffix(kTotal.size());
  }
  // A help text has no quotes, backslashes or ends of line.
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name, family.help, name,
                 type_name(family.type));
  for (const ClientMetric& metric : family.metric) {
    if (family.type == kHistogram) {
      write_histogram(family.name, metric, out);
      continue;
    }
    write_series(family.name, "", metric.label, nullptr, out);
    write_number(family.type == kCounter ? metric.counter.value : metric.gauge.value, out);
    append("\n", out);
  }
}

}  // namespace

TextFormat format_accepted(std::string_view accept_header) {
  return accept_header.find("application/openmetrics-text") == std::string_view::npos
             ? TextFormat::kPrometheus
             : TextFormat::kOpenMetrics;
}

std::string_view content_type(TextFormat format) {
  return format == TextFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

std::string write_families(std::span<const MetricFamily> families, TextFormat format) {
  std::string out;
  out.reserve(bytes_of(families));
  for (const MetricFamily& family : families) write_family(family, format, out);
  if (format == TextFormat::kOpenMetrics) append("# EOF\n", out);
  return out;
}

}  // namespace drip::metrics
