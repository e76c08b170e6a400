// SPDX-License-Identifier: BSD-3-Clause
// The node itself and its cluster: warnings, ports, polling threads, memory, members.
import { fill, h } from "/dom.js";
import { bitRate, brief, bytes, clock, count, duration, plural, unitRate } from "/format.js";

function card(title, id, ...children) {
  return h(
    "section",
    { class: "card", "aria-labelledby": id },
    h("div", { class: "card-head" }, h("h2", { id }, title)),
    children,
  );
}

/** `columns`: title, class of the cells. */
function table(label, columns, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      { class: "plain" },
      h("thead", {}, h("tr", {}, columns.map(([title, kind]) => h("th", { scope: "col", class: kind }, title)))),
      h(
        "tbody",
        {},
        rows.map((cells) => h("tr", {}, cells.map((cell, i) => h("td", { class: columns[i][1] }, cell)))),
      ),
    ),
  );
}

function chip(state, text) {
  return h("span", { class: "chip", "data-state": state }, text);
}

function gauge(name, used, most, format, says) {
  const fillElement = h("i");
  fillElement.style.width = most > 0 ? `${Math.min(100, (100 * used) / most)}%` : "0";
  return h(
    "div",
    { class: "gauge" },
    h("div", {}, h("span", {}, name), h("span", { class: "muted" }, `${format(used)} of ${format(most)}`)),
    h("span", { class: "track", "aria-hidden": "true" }, fillElement),
    says && h("p", { class: "muted" }, says),
  );
}

function lostOf(port) {
  const known = ["rx_missed", "rx_no_mbuf", "rx_errors", "tx_errors"].filter((name) => !port.unknown.includes(name));
  return known.length > 0 ? count(known.reduce((sum, name) => sum + port[name], 0)) : "not known";
}

function ports(node) {
  if (node.ports.length === 0) {
    return h("p", { class: "empty" }, "This node has no ports: it serves requests.");
  }
  return table(
    "Ports",
    [["Port", ""], ["Link", ""], ["Received", "number"], ["Sent", "number"], ["Lost", "number"], ["Device", "device"]],
    node.ports.map((port) => [
      [h("b", {}, port.name), h("span", { class: "muted" }, port.peer === port.name ? " hairpin" : ` to ${port.peer}`)],
      [
        chip(port.link === "up" ? "passing" : "egress", port.link),
        h("span", { class: "muted" }, port.link_bps > 0 ? ` ${bitRate(port.link_bps)}` : ""),
      ],
      [bitRate(port.rx_bps), h("span", { class: "muted" }, ` ${unitRate(port.rx_pps)}`)],
      [bitRate(port.tx_bps), h("span", { class: "muted" }, ` ${unitRate(port.tx_pps)}`)],
      lostOf(port),
      h("span", { class: "muted" }, `${port.device}, ${port.driver}, MTU ${port.mtu}`),
    ]),
  );
}

function lcores(node) {
  return table(
    "Polling threads",
    [["Thread", ""], ["Received", "number"], ["Sent", "number"], ["Waits", "number"], ["Buckets", "number"],
     ["Late (p99)", "number"], ["Longest stall", "number"], ["Dropped", ""]],
    node.lcores.map((lcore) => [
      [h("b", {}, String(lcore.index)), h("span", { class: "muted" }, ` ${lcore.role}${lcore.cpu >= 0 ? `, CPU ${lcore.cpu}` : ""}`)],
      unitRate(lcore.rx_pps),
      unitRate(lcore.tx_pps),
      brief(lcore.waiting),
      brief(lcore.buckets),
      duration(lcore.lateness_p99_ns),
      duration(lcore.longest_stall_ns),
      Object.entries(lcore.drops).map(([reason, number]) => `${reason.replaceAll("_", " ")} ${count(number)}`).join(", ") || "–",
    ]),
  );
}

export function showNode(element, node) {
  const { memory, clock: time } = node;
  fill(
    element,
    h(
      "div",
      { class: "stack" },
      card(
        node.warnings.length > 0 ? plural(node.warnings.length, "warning") : "Health",
        "warnings-title",
        node.warnings.length > 0
          ? h("ul", { class: "warnings" }, node.warnings.map((warning) => h("li", {}, warning)))
          : h("p", { class: "empty good" }, "Nothing to warn of."),
      ),
      card("Ports", "ports-title", ports(node)),
      card("Polling threads", "lcores-title", lcores(node)),
      h(
        "div",
        { class: "pair" },
        card(
          "Memory",
          "memory-title",
          gauge("Rings of buckets, reserved", memory.ring_reserved_bytes, memory.ring_bytes, bytes),
          memory.mbufs > 0 && gauge("Packet buffers, reserved", memory.mbufs_reserved, memory.mbufs, count,
            `${count(memory.mbufs_free)} are free; ${memory.hugepages ? "in hugepages" : "not in hugepages"}`),
          h("p", { class: "muted" },
            `This page keeps ${plural(node.histories, "history", "histories")}, ${bytes(node.history_bytes)}; its last step took ${duration(node.step_cpu_us * 1000)} of CPU.`),
        ),
        card(
          "Software and clock",
          "software-title",
          h(
            "dl",
            { class: "facts" },
            [
              ["Drip", node.version],
              ["DPDK", node.dpdk_version || "not used"],
              ["Started", `${new Date(node.start_ms).toLocaleString("en-GB")}`],
              ["Rules", count(node.rules)],
              ["Clock", `${(time.tsc_hz / 1e9).toFixed(3)} GHz, drift ${time.drift_ppm.toFixed(2)} ppm`],
              ["Offset", `${time.offset_ns < 0 ? "-" : ""}${duration(Math.abs(time.offset_ns))}, ${plural(time.jumps, "jump")}`],
            ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
          ),
        ),
      ),
    ),
  );
}

export function showCluster(element, node) {
  const { cluster } = node;
  if (!cluster) {
    fill(element, card("Cluster", "cluster-title", h("p", { class: "empty" }, "This node runs by itself, in no cluster.")));
    return;
  }
  const leader = cluster.members.find((member) => member.leads);
  fill(
    element,
    h(
      "div",
      { class: "stack" },
      card(
        "Cluster",
        "cluster-title",
        h(
          "dl",
          { class: "facts" },
          [
            ["Redis", cluster.connected ? `answers in ${duration(cluster.redis_round_trip_ns)}` : "does not answer"],
            ["Leader", leader ? leader.node : "none"],
            ["Epoch", count(cluster.epoch)],
            ["Configuration", `revision ${count(cluster.config_revision)}`],
            ["Known", `${duration(cluster.knowledge_age_ms * 1e6)} ago`],
          ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
        ),
        !cluster.connected && cluster.cut_off_reason && h("p", { class: "muted" }, cluster.cut_off_reason),
      ),
      card(
        "Nodes",
        "members-title",
        table(
          "Nodes of the cluster",
          [["Node", ""], ["State", ""], ["Address", ""], ["Buckets", "number"], ["Revision", "number"], ["Last seen", "number"], ["Version", ""]],
          cluster.members.map((member) => [
            [h("b", {}, member.node), member.self && h("span", { class: "muted" }, " this node"), member.leads && h("span", { class: "muted" }, " leads")],
            chip(member.state === "up" ? "passing" : "egress", member.state),
            member.address || "–",
            count(member.buckets),
            [count(member.config_revision), member.config_error && h("span", { class: "bad" }, ` ${member.config_error}`)],
            member.last_seen_ms > 0 ? clock(member.last_seen_ms) : "never",
            member.version,
          ]),
        ),
      ),
    ),
  );
}
