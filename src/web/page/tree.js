// SPDX-License-Identifier: BSD-3-Clause
// The trees of buckets as a table (WAI-ARIA's treegrid), a level at a time.
import { get } from "/api.js";
import { arrange, bucketHash, byId, fill, h, setAttribute, setText } from "/dom.js";
import { STATES, brief, count, ofRow, plural, unitRate } from "/format.js";

const ROWS = 100; // Of one level at one time.
const MOST_LEVELS = 40;
const OPEN_AT_FIRST = 120; // Rows that nodes are opened for when the page is loaded.

export const SORTS = { name: "Name", rate: "Rate", backlog: "Backlog", loss: "Loss" };

/** Where a rate lies between nothing and its ceiling; a mark shows what is guaranteed. */
export function bar() {
  const now = h("b");
  const ceiling = h("span", { class: "of" });
  const fillElement = h("i");
  const mark = h("u");
  const track = h("span", { class: "track", "aria-hidden": "true" }, fillElement, mark);
  const element = h("div", { class: "bar" }, h("span", { class: "bar-text" }, now, ceiling), track);
  element.update = (row) => {
    const { format, now: rate, ceiling: most, guarantee } = ofRow(row);
    setText(now, rate > 0 || most ? format(rate) : "–");
    setText(ceiling, most ? ` of ${format(most)}` : "");
    fillElement.style.width = most ? `${Math.min(100, (100 * rate) / most)}%` : "0";
    mark.hidden = !(most && guarantee && guarantee < most);
    mark.style.left = most && guarantee ? `${Math.min(100, (100 * guarantee) / most)}%` : "0";
    track.hidden = !most;
  };
  return element;
}

export function stateChip() {
  const element = h("span", { class: "chip" });
  element.update = (row) => {
    const [name, meaning] = STATES[row.state] ?? [row.state, ""];
    const blocker = row.blocker;
    setText(element, blocker ?? name);
    setAttribute(element, "data-state", row.state);
    setAttribute(element, "title", blocker ? `${meaning}: ${blocker}` : meaning);
  };
  return element;
}

export class Tree {
  constructor() {
    this.table = byId("tree");
    this.sort = "name";
    this.open = new Set();
    this.closed = new Set(); // By the user: not to be opened again.
    this.offsets = new Map();
    this.levels = new Map();
    this.rows = new Map(); // Elements, by key.
    this.selected = null;
    this.body = h("tbody");
    this.table.append(this.head(), this.body);
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    this.sortButtons = Object.entries(SORTS).map(([key, name]) =>
      h("button", { type: "button", onclick: () => this.setSort(key), "data-sort": key }, name),
    );
    fill(byId("tree-sort"), this.sortButtons);
    fill(
      byId("legend"),
      Object.entries(STATES)
        .slice(0, 5)
        .map(([state, [name, meaning]]) =>
          h("span", { title: meaning }, h("i", { "data-state": state }), name),
        ),
    );
    this.showSort();
  }

  head() {
    const names = [
      ["Bucket", "name"],
      ["Rate now", "rate"],
      ["Units", "units number"],
      ["Backlog", "backlog number"],
      ["Lost", "loss number"],
      ["Waits for", "state"],
    ];
    return h(
      "thead",
      {},
      h("tr", {}, names.map(([name, kind]) => h("th", { scope: "col", class: kind }, name))),
    );
  }

  setSort(sort) {
    this.sort = sort;
    this.offsets.clear();
    this.showSort();
    this.refresh().catch(() => {});
  }

  showSort() {
    for (const button of this.sortButtons) {
      setAttribute(button, "aria-pressed", String(button.dataset.sort === this.sort));
    }
  }

  /** Asks for all levels that are open, in one request, and shows them. */
  async refresh() {
    const open = [...this.open].slice(-MOST_LEVELS);
    const each = Math.min(ROWS, Math.floor(1900 / (open.length + 1)));
    const levels = ["", ...open].map((parent) => [
      "level",
      `${this.offsets.get(parent) ?? 0},${each},${parent}`,
    ]);
    const first = this.levels.size === 0;
    const answer = await get("tree", [...levels, ["sort", this.sort]]);
    this.levels = new Map(answer.levels.map((level) => [level.parent, level]));
    this.step = each;
    if (this.openSmall(first)) return this.refresh();
    this.show();
  }

  /** Opens nodes with few children, as far as they fit, when the page is new. */
  openSmall(first) {
    if (!first && !this.opening) return false;
    let rows = 0;
    for (const level of this.levels.values()) rows += level.rows.length;
    this.opening = false;
    for (const level of [...this.levels.values()]) {
      for (const row of level.rows) {
        if (row.children === 0 || row.children > ROWS || this.open.has(row.id)) continue;
        if (this.closed.has(row.id) || rows + row.children > OPEN_AT_FIRST) continue;
        rows += row.children;
        this.open.add(row.id);
        this.opening = true;
      }
    }
    return this.opening;
  }

  show() {
    const wanted = [];
    this.addLevel("", 1, wanted);
    const keys = new Set(wanted.map((element) => element.dataset.key));
    for (const key of this.rows.keys()) if (!keys.has(key)) this.rows.delete(key);
    arrange(this.body, wanted);
    if (!this.body.querySelector('[tabindex="0"]') && wanted.length > 0) wanted[0].tabIndex = 0;
    const roots = this.levels.get("");
    const empty = roots.total === 0 && roots.flow_rules.length === 0;
    if (empty && wanted.length === 0) {
      fill(
        this.body,
        h(
          "tr",
          {},
          h(
            "td",
            { colspan: 6, class: "empty" },
            "There are no buckets yet. A first one: ",
            h("code", {}, "dripctl bucket set web --rate 100mbit --capacity 1000"),
          ),
        ),
      );
    }
  }

  addLevel(parent, depth, wanted) {
    const level = this.levels.get(parent);
    if (!level) return;
    for (const row of level.rows) {
      const element = this.element(`bucket:${row.id}`, () => this.makeRow(row.id));
      element.update(row, depth, this.open.has(row.id) && this.levels.has(row.id));
      wanted.push(element);
      if (this.open.has(row.id)) this.addLevel(row.id, depth + 1, wanted);
    }
    for (const rule of level.flow_rules) {
      const element = this.element(`rule:${rule.rule}`, () => this.makeFlows(rule.rule));
      element.update(rule, depth);
      wanted.push(element);
    }
    if (level.total > level.rows.length) {
      const element = this.element(`pager:${parent}`, () => this.makePager(parent));
      element.update(level, depth);
      wanted.push(element);
    }
  }

  element(key, make) {
    let element = this.rows.get(key);
    if (!element) {
      element = make();
      element.dataset.key = key;
      this.rows.set(key, element);
    }
    return element;
  }

  makeRow(id) {
    const toggle = h("button", { class: "toggle", type: "button", tabindex: -1 });
    const name = h("a", { href: bucketHash(id), tabindex: -1 }, id);
    const children = h("span", { class: "children" });
    const rate = bar();
    const chip = stateChip();
    const units = h("td", { class: "units number" });
    const backlog = h("td", { class: "backlog number" });
    const loss = h("td", { class: "loss number" });
    const dot = h("i", { class: "dot", "aria-hidden": "true" });
    const label = h("div", { class: "label" }, toggle, dot, name, children);
    const element = h(
      "tr",
      { role: "row", tabindex: -1, onfocus: () => this.setFocusable(element) },
      h("td", { class: "name" }, label),
      h("td", { class: "rate" }, rate),
      units,
      backlog,
      loss,
      h("td", { class: "state" }, chip),
    );
    toggle.addEventListener("click", () => this.toggle(id));
    element.addEventListener("click", (event) => {
      if (!event.target.closest("a, button")) location.hash = bucketHash(id);
    });
    element.bucket = id;
    element.update = (row, depth, open) => {
      setAttribute(element, "aria-level", depth);
      element.style.setProperty("--depth", depth - 1);
      toggle.classList.toggle("leaf", row.children === 0);
      toggle.disabled = row.children === 0;
      setAttribute(element, "aria-expanded", row.children > 0 ? String(open) : null);
      setAttribute(toggle, "aria-label", `${open ? "Close" : "Open"} ${id}`);
      setText(children, row.children > 0 ? count(row.children) : "");
      setAttribute(children, "title", plural(row.children, "child", "children"));
      setAttribute(element, "aria-selected", String(this.selected === id));
      setAttribute(dot, "data-state", row.state);
      rate.update(row);
      setAttribute(element, "data-state", row.state);
      setText(units, row.pps > 0 ? unitRate(row.pps) : "–");
      setText(backlog, row.backlog > 0 ? brief(row.backlog) : "–");
      setText(loss, row.lost_per_second > 0 ? unitRate(row.lost_per_second) : "–");
      loss.classList.toggle("some", row.lost_per_second > 0);
      chip.update(row);
    };
    return element;
  }

  makeFlows(rule) {
    const text = h("span", {});
    const rate = h("td", { class: "rate muted" });
    const element = h(
      "tr",
      { role: "row", tabindex: -1, class: "flows", onfocus: () => this.setFocusable(element) },
      h("td", { class: "name" }, h("div", { class: "label" }, h("span", { class: "toggle leaf" }), text)),
      rate,
      h("td", { colspan: 4, class: "more muted" }),
    );
    element.update = (state, depth) => {
      setAttribute(element, "aria-level", depth);
      element.style.setProperty("--depth", depth - 1);
      setText(text, `${plural(state.flows, "flow")} of rule ${rule}`);
      const { format, ceiling } = ofRow({ ...state, bps: 0, pps: 0 });
      setText(rate, ceiling ? `up to ${format(ceiling)} each` : "");
      setText(
        element.lastChild,
        `at most ${count(state.max_flows)}${state.refused > 0 ? `; ${count(state.refused)} packets had no room` : ""}`,
      );
    };
    return element;
  }

  makePager(parent) {
    const text = h("span", { class: "muted" });
    const move = (steps) => () => {
      const level = this.levels.get(parent);
      const last = Math.max(0, Math.ceil(level.total / this.step) - 1) * this.step;
      const next = (this.offsets.get(parent) ?? 0) + steps * this.step;
      this.offsets.set(parent, Math.min(last, Math.max(0, next)));
      this.refresh().catch(() => {});
    };
    const of = parent ? ` of ${parent}` : "";
    const before = h("button", { type: "button", onclick: move(-1), "aria-label": `Page before${of}` }, "‹");
    const after = h("button", { type: "button", onclick: move(1), "aria-label": `Next page${of}` }, "›");
    const element = h(
      "tr",
      { role: "row", class: "pager", tabindex: -1, onfocus: () => this.setFocusable(element) },
      h("td", { colspan: 6 }, h("div", { class: "label" }, before, text, after)),
    );
    element.update = (level, depth) => {
      setAttribute(element, "aria-level", depth);
      element.style.setProperty("--depth", depth - 1);
      const last = level.offset + level.rows.length;
      setText(text, `${count(level.offset + 1)} to ${count(last)} of ${count(level.total)}`);
      before.disabled = level.offset === 0;
      after.disabled = last >= level.total;
    };
    return element;
  }

  toggle(id, open = !this.open.has(id)) {
    if (open) this.open.add(id);
    else {
      this.open.delete(id);
      this.closed.add(id);
    }
    this.refresh().catch(() => {});
  }

  setSelected(id) {
    this.selected = id;
    for (const element of this.rows.values()) {
      if (element.bucket) setAttribute(element, "aria-selected", String(element.bucket === id));
    }
  }

  setFocusable(element) {
    for (const other of this.body.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    element.tabIndex = 0;
  }

  onKey(event) {
    const row = event.target.closest("tr");
    if (!row || event.target.closest("button")) return;
    const rows = [...this.body.children];
    const at = rows.indexOf(row);
    const goTo = (index) => rows[Math.min(rows.length - 1, Math.max(0, index))]?.focus();
    const level = Number(row.getAttribute("aria-level"));
    const actions = {
      ArrowDown: () => goTo(at + 1),
      ArrowUp: () => goTo(at - 1),
      Home: () => goTo(0),
      End: () => goTo(rows.length - 1),
      ArrowRight: () => {
        if (row.getAttribute("aria-expanded") === "false") this.toggle(row.bucket, true);
        else goTo(at + 1);
      },
      ArrowLeft: () => {
        if (row.getAttribute("aria-expanded") === "true") return this.toggle(row.bucket, false);
        for (let i = at; i >= 0; --i) {
          if (Number(rows[i].getAttribute("aria-level")) < level) return goTo(i);
        }
      },
      Enter: () => {
        if (row.bucket) location.hash = bucketHash(row.bucket);
        else row.querySelector("button:not(:disabled)")?.focus();
      },
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

/** A short table of buckets: those found, or those that are at the top. */
export class BucketList {
  constructor() {
    this.rows = new Map();
    this.element = h("div", { class: "list" });
  }

  update(rows, empty) {
    const wanted = rows.map((row) => {
      let element = this.rows.get(row.id);
      if (!element) {
        const rate = bar();
        const numbers = h("span", { class: "numbers" });
        const dot = h("i", { class: "dot", "aria-hidden": "true" });
        element = h(
          "a",
          { href: bucketHash(row.id), class: "item" },
          h("span", { class: "item-name" }, dot, row.id),
          numbers,
          rate,
        );
        element.update = (state) => {
          setAttribute(element, "data-state", state.state);
          setAttribute(dot, "data-state", state.state);
          rate.update(state);
          const parts = [];
          if (state.backlog > 0) parts.push(`${brief(state.backlog)} wait`);
          if (state.lost_per_second > 0) parts.push(`${unitRate(state.lost_per_second)} lost`);
          setText(numbers, parts.join(", "));
        };
        this.rows.set(row.id, element);
      }
      element.update(row);
      return element;
    });
    const ids = new Set(rows.map((row) => row.id));
    for (const id of this.rows.keys()) if (!ids.has(id)) this.rows.delete(id);
    if (wanted.length > 0) arrange(this.element, wanted);
    else fill(this.element, h("p", { class: "empty" }, empty));
  }
}
