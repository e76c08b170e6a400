// SPDX-License-Identifier: BSD-3-Clause
#include "access/audit/recent_changes.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"

namespace drip::access {
namespace {

// Not within a character of UTF-8.
void cut(std::string& text) {
  if (text.size() <= RecentChanges::kMostText) return;
  std::size_t size = RecentChanges::kMostText;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
  text += "...";
  text.shrink_to_fit();
}

void leave_out_if_large(std::optional<AuditValue>& value) {
  if (!value || value->bytes.size() <= RecentChanges::kMostValue) return;
  value = AuditValue{joined("\"", value->bytes.size(), " bytes, left out\""), nullptr};
}

std::size_t bytes_of(const AuditRecord& record) {
  // With what the allocator adds.
  const auto text = [](const std::string& one) { return one.size() < 16 ? 0 : one.size() + 24; };
  std::size_t bytes = sizeof(NumberedRecord) + 64 + text(record.caller) + text(record.peer) +
                      text(record.method) + text(record.target) + text(record.result) +
                      text(record.error);
  if (record.before) bytes += text(record.before->bytes);
  if (record.after) bytes += text(record.after->bytes);
  return bytes;
}

}  // namespace

void RecentChanges::add(AuditRecord record) {
  for (std::string* const text : {&record.caller, &record.peer, &record.method, &record.target,
                                  &record.result, &record.error}) {
    cut(*text);
  }
  leave_out_if_large(record.before);
  leave_out_if_large(record.after);
  auto entry = std::make_shared<NumberedRecord>();
  entry->record = std::move(record);
  MutexLock lock(mutex_);
  entry->number = ++last_number_;
  Ring& ring = entry->record.ok() ? changes_ : failed_;
  ring.bytes += bytes_of(entry->record);
  ring.records.push_back(std::move(entry));
  while (ring.bytes > ring.most_bytes && ring.records.size() > 1) {
    ring.bytes -= bytes_of(ring.records.front()->record);
    ring.records.pop_front();
    ++forgotten_;
  }
}

RecentChanges::Page RecentChanges::find(std::uint64_t first, std::size_t limit,
                                        Wanted wanted) const {
  Page page;
  MutexLock lock(mutex_);
  const auto from = [&](const Ring& ring) {
    return std::ranges::lower_bound(ring.records, first, {}, &NumberedRecord::number);
  };
  auto change = from(changes_);
  auto failed = from(failed_);
  while (change != changes_.records.end() || failed != failed_.records.end()) {
    const bool is_change =
        failed == failed_.records.end() ||
        (change != changes_.records.end() && (*change)->number < (*failed)->number);
    const NumberedRecordRef& next = is_change ? *change++ : *failed++;
    if (!wanted(next->record)) continue;
    if (page.records.size() == limit) {
      page.next = next->number;
      break;
    }
    page.records.push_back(next);
  }
  return page;
}

std::uint64_t RecentChanges::first_of_last(std::size_t count, Wanted wanted) const {
  std::uint64_t first = 0;
  MutexLock lock(mutex_);
  from_newest([&](const NumberedRecord& one) {
    if (!wanted(one.record)) return true;
    first = one.number;
    return --count > 0;
  });
  return count > 0 ? 0 : first;
}

std::uint64_t RecentChanges::forgotten() const {
  MutexLock lock(mutex_);
  return forgotten_;
}

void RecentChanges::from_newest(absl::FunctionRef<bool(const NumberedRecord&)> use) const {
  auto change = changes_.records.rbegin();
  auto failed = failed_.records.rbegin();
  while (change != changes_.records.rend() || failed != failed_.records.rend()) {
    const bool is_change =
        failed == failed_.records.rend() ||
        (change != changes_.records.rend() && (*change)->number > (*failed)->number);
    if (!use(**(is_change ? change++ : failed++))) return;
  }
}

}  // namespace drip::access
