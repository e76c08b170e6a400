// SPDX-License-Identifier: BSD-3-Clause
// Beside the trees: one bucket with its history, or all of them and the busiest.
import { get } from "/api.js";
import { Plots, Samples, lossName } from "/charts.js";
import { bucketHash, fill, h, setAttribute, setText } from "/dom.js";
import { STATES, bitRate, bytes, count, duration, ofRow, plural, unitRate } from "/format.js";
import { BucketList, bar, stateChip } from "/tree.js";

const LEAF_PLOTS = ["rate", "backlog", "sojourn", "roundTrip", "loss"];
const TOPS = { rate: "Rate", backlog: "Backlog", loss: "Loss" };

/** All buckets together, and those that send, hold or lose most. */
export class Overview {
  constructor() {
    this.samples = new Samples();
    this.plots = new Plots(["rate", "loss"]);
    this.by = "rate";
    this.list = new BucketList();
    this.buttons = Object.entries(TOPS).map(([key, name]) =>
      h(
        "button",
        { type: "button", "data-by": key, onclick: () => this.setBy(key) },
        name,
      ),
    );
    this.showBy();
    this.element = h(
      "div",
      { class: "stack" },
      h(
        "section",
        { class: "card", "aria-labelledby": "top-title" },
        h(
          "div",
          { class: "card-head" },
          h("h2", { id: "top-title" }, "Busiest"),
          h("div", { class: "segments", role: "group", "aria-label": "Busiest by" }, this.buttons),
        ),
        this.list.element,
      ),
      h(
        "section",
        { class: "card", "aria-labelledby": "all-title" },
        h("div", { class: "card-head" }, h("h2", { id: "all-title" }, "All buckets, ten minutes")),
        this.plots.element,
      ),
    );
  }

  setBy(by) {
    this.by = by;
    this.showBy();
    this.refresh().catch(() => {});
  }

  showBy() {
    for (const button of this.buttons) {
      setAttribute(button, "aria-pressed", String(button.dataset.by === this.by));
    }
  }

  async refresh() {
    const [top, history] = await Promise.all([
      get("top", [["by", this.by], ["limit", 10]]),
      get("history", [["from", this.samples.next]]),
    ]);
    const empty = { rate: "Nothing is sent.", backlog: "Nothing waits.", loss: "Nothing is lost." };
    this.list.update(top.rows, empty[this.by]);
    this.samples.take(history);
    const bits = this.samples.most("bps") > 0 || this.samples.most("pps") === 0;
    this.plots.update(this.samples, { units: !bits, ceiling: null });
  }

  redraw() {
    this.plots.redraw();
  }

  destroy() {
    this.plots.destroy();
  }
}

/** One bucket. */
export class Details {
  constructor(id) {
    this.id = id;
    this.samples = new Samples();
    this.path = h("nav", { class: "path", "aria-label": "Where the bucket is" });
    this.chip = stateChip();
    this.says = h("p", { class: "says" });
    this.bar = bar();
    this.facts = h("dl", { class: "facts" });
    this.losses = h("div", {});
    this.traffic = h("div", {});
    this.plotsHere = h("div", {});
    this.body = h(
      "div",
      {},
      h("div", { class: "now" }, this.chip, this.says),
      h("div", { class: "big-bar" }, this.bar),
      this.plotsHere,
      this.facts,
      this.losses,
      this.traffic,
    );
    this.element = h(
      "section",
      { class: "card details", "aria-labelledby": "bucket-title" },
      h(
        "div",
        { class: "card-head" },
        h("h2", { id: "bucket-title", class: "bucket-title" }, id),
        h("a", { class: "close", href: "#/", "aria-label": "Close, and show all buckets" }, "✕"),
      ),
      this.path,
      this.body,
    );
  }

  async refresh() {
    const [bucket, history] = await Promise.all([
      get("bucket", [["id", this.id]]),
      get("history", [["id", this.id], ["from", this.samples.next]]),
    ]);
    this.show(bucket);
    this.samples.take(history);
    const { format, ceiling } = ofRow(bucket.row);
    if (!this.plots) {
      const inner = bucket.row.kind === "inner";
      this.plots = new Plots(inner ? ["rate", "backlog"] : LEAF_PLOTS);
      fill(this.plotsHere, this.plots.element);
    }
    this.plots.update(this.samples, { units: format === unitRate, ceiling });
  }

  show({ row, path, settings, counts, sojourn, lateness, share, core_shares, flow_rules, traffic }) {
    fill(
      this.path,
      path.map((id) => [h("a", { href: bucketHash(id) }, id), h("span", { "aria-hidden": "true" }, " › ")]),
      path.length > 0 ? h("span", { class: "muted" }, this.id) : null,
    );
    this.path.hidden = path.length === 0;
    setAttribute(this.element, "data-state", row.state);
    this.chip.update(row);
    setText(this.says, row.blocker ? `Waits for the rate of ${row.blocker}` : (STATES[row.state]?.[1] ?? row.state));
    this.bar.update(row);
    const { format, ceiling, guarantee } = ofRow(row);
    const facts = [
      ["Ceiling", ceiling ? format(ceiling) : "none of its own"],
      row.parent && ["Guarantee", guarantee ? format(guarantee) : "none"],
      row.parent && ["Weight, priority", `${row.weight}, ${row.priority}`],
      ["Waits now", `${plural(row.backlog, "unit")}, ${bytes(counts.backlog_bytes)}`],
      settings.capacity && ["Capacity", capacityOf(settings)],
      settings.queue && ["Queue", queueOf(settings.queue)],
      sojourn && ["Sojourn since start", latency(sojourn)],
      lateness && ["Lateness since start", latency(lateness)],
      ["Sent", `${count(counts.sent)}, ${bytes(counts.sent_bytes)}`],
      row.kind === "leaf" && ["Rejected", `${count(counts.rejected)}, ${bytes(counts.rejected_bytes)}`],
      row.kind === "leaf" && counts.dropped > 0 && ["Dropped", `${count(counts.dropped)}, ${bytes(counts.dropped_bytes)}`],
      counts.marked > 0 && ["Marked (ECN)", count(counts.marked)],
      counts.flows > 0 && ["Flows", count(counts.flows)],
      row.children > 0 && ["Children", count(row.children)],
      ...flow_rules.map((rule) => [`Flows of rule ${rule.rule}`, count(rule.flows)]),
      traffic && ["TCP round trip to destination", roundTrip(traffic.to_destination)],
      traffic && ["TCP round trip to source", roundTrip(traffic.to_source)],
      traffic?.segments > 0 && ["Retransmitted", retransmitted(traffic)],
      share && ["Share of this node", shareOf(share)],
      ...(core_shares ?? []).map((core) => [`Transmitter ${core.transmitter} holds`, coreShareOf(core)]),
      !core_shares && ["Thread", `transmitter ${settings.transmitter}`],
    ].filter(Boolean);
    fill(this.traffic, traffic ? trafficOf(traffic) : null);
    fill(this.facts, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    const lost = Object.entries(counts.lost);
    fill(
      this.losses,
      lost.length > 0 &&
        h(
          "p",
          { class: "muted" },
          "Lost since start: ",
          lost.map(([reason, number]) => `${lossName(reason)} ${count(number)}`).join(", "),
        ),
    );
  }

  gone() {
    fill(this.body, h("p", { class: "empty" }, "There is no bucket of this name, or it was deleted."));
    this.plots?.destroy();
    this.plots = null;
  }

  redraw() {
    this.plots?.redraw();
  }

  destroy() {
    this.plots?.destroy();
  }
}

function roundTrip({ count: trips, p50_ns, p90_ns }) {
  if (p50_ns !== null) return `median ${duration(p50_ns)}, p90 ${duration(p90_ns)}`;
  return trips > 0 ? "none in the last minute" : "none measured";
}

function retransmitted({ segments, retransmitted_segments }) {
  const percent = ((100 * retransmitted_segments) / segments).toFixed(2);
  return `${percent} % of ${count(segments)} sampled segments`;
}

/** The flows that sent most. */
function trafficOf({ flows, measured_over_ns }) {
  if (flows.length === 0) return null;
  return h(
    "table",
    { class: "plain top-flows" },
    h("caption", {}, `Flows that sent most, over ${duration(measured_over_ns)}`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Flow"), h("th", { scope: "col", class: "number" }, "At least"))),
    h(
      "tbody",
      {},
      flows.slice(0, 10).map(({ flow, bps }) =>
        h("tr", {}, h("td", { class: "flow" }, flow), h("td", { class: "number" }, bitRate(bps))),
      ),
    ),
  );
}

function capacityOf({ capacity, capacity_bytes }) {
  const units = plural(capacity, "unit");
  return capacity_bytes ? `${units}, ${bytes(capacity_bytes)}` : units;
}

function queueOf({ kind, aqm, target_ns, max_wait_ns }) {
  const parts = [kind === "fair" ? "fair" : "first in, first out"];
  if (aqm !== "none") parts.push(`${aqm} at ${duration(target_ns)}`);
  if (max_wait_ns) parts.push(`at most ${duration(max_wait_ns)}`);
  return parts.join(", ");
}

function latency({ p50_ns, p99_ns, max_ns }) {
  if (max_ns === 0) return "–";
  return `median ${duration(p50_ns)}, p99 ${duration(p99_ns)}, max ${duration(max_ns)}`;
}

function coreShareOf({ share_bps, share_pps, sent_bytes }) {
  const rate = share_bps !== null ? bitRate(share_bps) : share_pps !== null ? unitRate(share_pps) : "nothing";
  return `${rate}, sent ${bytes(sent_bytes)}`;
}

function shareOf({ policy_state, share_bps, share_pps }) {
  const rate = share_bps !== null ? bitRate(share_bps) : share_pps !== null ? unitRate(share_pps) : "none";
  return `${rate} (${policy_state.replaceAll("_", " ")})`;
}
