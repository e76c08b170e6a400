// SPDX-License-Identifier: BSD-3-Clause
// Runs ns-3's simulator.
#include "ns3_link.h"

#include <ns3/core-module.h>
#include <ns3/network-module.h>
#include <ns3/traffic-control-module.h>

namespace drip::test {
namespace {

constexpr std::uint32_t kQuantum = 1'514;  // As in FairQueueSettings.

class Item final : public ns3::QueueDiscItem {
 public:
  Item(std::uint64_t number, const Arrival& arrival)
      : QueueDiscItem(ns3::Create<ns3::Packet>(arrival.bytes), ns3::Address(), 0),
        id(number),
        flow_(arrival.flow),
        ecn_(arrival.ecn) {}
  void AddHeader() override {}
  bool Mark() override {
    marked = ecn_ != kNotEct;
    return marked;
  }
  bool GetUint8Value(Uint8Values field, std::uint8_t& value) const override {
    if (field != IP_DSFIELD) return false;
    value = ecn_;
    return true;
  }
  std::uint32_t Hash(std::uint32_t) const override { return flow_; }

  std::uint64_t id;
  bool marked = false;

 private:
  std::uint32_t flow_;
  std::uint8_t ecn_;
};

class Ns3Link {
 public:
  Ns3Link(ns3::Ptr<ns3::QueueDisc> disc, const std::vector<Arrival>& arrivals,
          std::int64_t first_service)
      : disc_(disc) {
    disc->TraceConnectWithoutContext("Drop", ns3::MakeCallback(&Ns3Link::dropped, this));
    disc->Initialize();
    for (std::uint64_t id = 0; id < arrivals.size(); ++id) {
      const auto item = ns3::Create<Item>(id, arrivals[id]);
      ns3::Simulator::Schedule(ns3::NanoSeconds(arrivals[id].at), &Ns3Link::arrive, this, item);
    }
    ns3::Simulator::Schedule(ns3::NanoSeconds(first_service), &Ns3Link::serve, this);
    ns3::Simulator::Run();
    ns3::Simulator::Destroy();
  }
  Outcome outcome;

 private:
  void arrive(ns3::Ptr<Item> item) {
    disc_->Enqueue(item);
    if (!busy_) serve();
  }
  void serve() {
    const auto item = ns3::DynamicCast<Item>(disc_->Dequeue());
    busy_ = item != nullptr;
    if (!busy_) return;
    outcome.departed.push_back(item->id);
    outcome.departed_at.push_back(ns3::Simulator::Now().GetNanoSeconds());
    if (item->marked) outcome.marked.insert(item->id);
    ns3::Simulator::Schedule(ns3::NanoSeconds(item->GetSize() * kByteNs), &Ns3Link::serve, this);
  }
  void dropped(ns3::Ptr<const ns3::QueueDiscItem> item) {
    outcome.dropped.insert(ns3::DynamicCast<const Item>(item)->id);
  }

  ns3::Ptr<ns3::QueueDisc> disc_;
  bool busy_ = true;
};

}  // namespace

Outcome run_ns3(const std::string& type, const std::map<std::string, std::string>& attributes,
                const std::vector<Arrival>& arrivals, std::int64_t first_service) {
  ns3::ObjectFactory factory(type);
  for (const auto& [name, value] : attributes) factory.Set(name, ns3::StringValue(value));
  const auto disc = factory.Create<ns3::QueueDisc>();
  // Not an attribute; with 0 ns-3 looks for a device, and without one never ends.
  if (const auto codel = ns3::DynamicCast<ns3::FqCoDelQueueDisc>(disc)) codel->SetQuantum(kQuantum);
  if (const auto cobalt = ns3::DynamicCast<ns3::FqCobaltQueueDisc>(disc)) {
    cobalt->SetQuantum(kQuantum);
  }
  return Ns3Link(disc, arrivals, first_service).outcome;
}

}  // namespace drip::test
