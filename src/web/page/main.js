// SPDX-License-Identifier: BSD-3-Clause
// The page as a whole: which view is shown, when it asks dripd, and how fresh that is.
import { ApiError, Connection, get } from "/api.js";
import { Details, Overview } from "/bucket.js";
import { byId, fill, h, setAttribute, setText } from "/dom.js";
import { bitRate, brief, bytes, clock, count, duration, plural, unitRate } from "/format.js";
import { showCluster, showNode } from "/node.js";
import { Search } from "/search.js";
import { Tree } from "/tree.js";

const PERIOD_MS = 2000;

const connection = new Connection();
const tree = new Tree();
let node = null;
let side = null; // An Overview, or Details.
let timer = null;
let asking = false;
let askAgain = false;

/** #/, #/bucket/ID, #/node, #/cluster. */
function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/");
  if (parts[0] === "bucket" && parts.length > 1) {
    try {
      return { view: "buckets", bucket: decodeURIComponent(parts.slice(1).join("/")) };
    } catch {
      return { view: "buckets", bucket: parts.slice(1).join("/") };
    }
  }
  return { view: ["node", "cluster"].includes(parts[0]) ? parts[0] : "buckets", bucket: null };
}

function showRoute() {
  const { view, bucket } = route();
  for (const name of ["buckets", "node", "cluster"]) {
    byId(`view-${name}`).hidden = name !== view;
  }
  for (const link of document.querySelectorAll("nav [data-view]")) {
    setAttribute(link, "aria-current", link.dataset.view === view ? "page" : null);
  }
  document.body.classList.toggle("one-bucket", view === "buckets" && bucket !== null);
  if (view === "buckets" && (side === null || (side.id ?? null) !== bucket)) {
    side?.destroy();
    side = bucket === null ? new Overview() : new Details(bucket);
    fill(byId("side"), side.element);
    tree.setSelected(bucket);
  }
  document.title = [bucket, node?.node, "Drip"].filter(Boolean).join(" · ");
}

function figure(name, value, more, bad = false) {
  return h(
    "div",
    { class: bad ? "figure bad" : "figure" },
    h("span", { class: "figure-name" }, name),
    h("span", { class: "figure-value" }, value),
    h("span", { class: "figure-more" }, more),
  );
}

function showFigures() {
  const { warnings } = node;
  const sent = node.ports.reduce((sum, port) => sum + port.tx_bps, 0);
  fill(
    byId("figures"),
    figure("Shaped", bitRate(node.bps), unitRate(node.pps)),
    node.ports.length > 0
      ? figure("Sent by ports", bitRate(sent), plural(node.ports.length, "port"))
      : figure("Ring memory", bytes(node.memory.ring_reserved_bytes), `of ${bytes(node.memory.ring_bytes)}`),
    figure("Backlog", brief(node.backlog), node.backlog === 1 ? "unit waits" : "units wait"),
    figure("Lost", unitRate(node.lost_per_second), "by all buckets", false),
    figure("Buckets", count(node.buckets), `${plural(node.rules, "rule")}, ${plural(node.flows, "flow")}`),
    h(
      "a",
      { class: warnings.length > 0 ? "figure warn" : "figure good", href: "#/node" },
      h("span", { class: "figure-name" }, "Health"),
      h("span", { class: "figure-value" }, warnings.length > 0 ? plural(warnings.length, "warning") : "Good"),
      h("span", { class: "figure-more" }, `up ${duration((node.now_ms - node.start_ms) * 1e6)}`),
    ),
  );
}

function showConnection() {
  const live = byId("live");
  const texts = { waiting: "Connecting", live: "Live", stale: "Stale", unreachable: "No answer" };
  setAttribute(live, "data-state", connection.state);
  setText(live.lastElementChild, texts[connection.state]);
  document.body.classList.toggle("old", ["stale", "unreachable"].includes(connection.state));
  const banner = byId("banner");
  banner.hidden = !["stale", "unreachable"].includes(connection.state);
  if (banner.hidden) return;
  const of = connection.lastStep ? ` What is shown is of ${clock(connection.lastStep)}.` : "";
  setText(
    banner,
    connection.state === "stale"
      ? `dripd answers, but has recorded nothing new.${of}`
      : `dripd does not answer: ${connection.reason}.${of} Asking again every ${PERIOD_MS / 1000} s.`,
  );
}

function showNodeValues() {
  setText(byId("node-name"), node.node);
  setText(byId("tree-count"), count(node.buckets));
  fill(
    byId("footer"),
    `Drip ${node.version}${node.dpdk_version ? `, ${node.dpdk_version}` : ""} · step of ${node.step_ms ? clock(node.step_ms) : "–"} · read only`,
  );
  showFigures();
}

async function askAll() {
  const { view } = route();
  const answers = [get("node")];
  if (view === "buckets") answers.push(tree.refresh(), side.refresh());
  const [ofNode, ...others] = await Promise.allSettled(answers);
  if (ofNode.status === "rejected") throw ofNode.reason;
  node = ofNode.value;
  connection.answered(node);
  showNodeValues();
  if (view === "node") showNode(byId("view-node"), node);
  if (view === "cluster") showCluster(byId("view-cluster"), node);
  for (const other of others) {
    if (other.status === "fulfilled") continue;
    if (other.reason.status === 404 && side instanceof Details) side.gone();
    else throw other.reason;
  }
}

/** Asks now, and then every two seconds while the page can be seen. */
async function ask() {
  clearTimeout(timer);
  if (asking) {
    askAgain = true;
    return;
  }
  asking = true;
  try {
    await askAll();
  } catch (error) {
    asking = false;
    timer = setTimeout(ask, PERIOD_MS);
    if (!(error instanceof ApiError)) throw error; // A fault of this page, for the console.
    connection.failed(error);
  }
  asking = false;
  showConnection();
  const again = askAgain;
  askAgain = false;
  if (again) ask();
  else if (!document.hidden) timer = setTimeout(ask, PERIOD_MS);
}

const systemDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : systemDark.matches;
}

function showTheme() {
  const button = byId("theme");
  setText(button, isDark() ? "☀" : "☾");
  setAttribute(button, "aria-label", isDark() ? "Light colours" : "Dark colours");
  setAttribute(button, "title", isDark() ? "Light colours" : "Dark colours");
  side?.redraw();
}

byId("theme").addEventListener("click", () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("drip-theme", theme);
  } catch {
    // Then it holds until the page is loaded again.
  }
  showTheme();
});
systemDark.addEventListener("change", showTheme);

addEventListener("hashchange", () => {
  showRoute();
  ask();
  if (document.body.classList.contains("one-bucket") && matchMedia("(max-width: 1099px)").matches) {
    scrollTo({ top: 0 });
  }
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) ask();
});

new Search();
showRoute();
showTheme();
ask();
