// SPDX-License-Identifier: BSD-3-Clause
// The search box: buckets by a part of their names (WAI-ARIA's combobox with a listbox).
import { get } from "/api.js";
import { bucketHash, byId, fill, h, setAttribute } from "/dom.js";
import { STATES, count, ofRow } from "/format.js";

const DELAY_MS = 120;
const MOST = 12;

export class Search {
  constructor() {
    this.input = byId("search");
    this.list = byId("found");
    this.at = -1;
    this.input.addEventListener("input", () => this.later());
    this.input.addEventListener("focus", () => this.later());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("click", (event) => {
      if (!event.target.closest(".search")) this.close();
    });
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input, textarea, select");
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        this.input.focus();
        this.input.select();
      }
    });
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.find().catch(() => this.close()), DELAY_MS);
  }

  async find() {
    const text = this.input.value.trim();
    if (!text) return this.close();
    const { total, rows } = await get("search", [["q", text], ["limit", MOST]]);
    if (text !== this.input.value.trim()) return; // Another answer is on its way.
    this.at = rows.length > 0 ? 0 : -1;
    this.options = rows.map((row, i) => {
      const { format, now } = ofRow(row);
      return h(
        "div",
        {
          role: "option",
          id: `found-${i}`,
          class: "option",
          onclick: () => this.choose(i),
          onmousemove: () => this.mark(i),
        },
        h("i", { class: "dot", "data-state": row.state, title: STATES[row.state]?.[0] }),
        h("span", { class: "option-name" }, row.id),
        h("span", { class: "muted" }, format(now)),
      );
    });
    this.ids = rows.map((row) => row.id);
    const more = total > rows.length ? `${count(total - rows.length)} more` : "";
    fill(
      this.list,
      this.options,
      rows.length === 0 && h("div", { class: "none", role: "option", "aria-disabled": "true" }, "No bucket has this in its name"),
      more && h("div", { class: "none", role: "option", "aria-disabled": "true" }, more),
    );
    this.list.hidden = false;
    setAttribute(this.input, "aria-expanded", "true");
    this.mark(this.at);
  }

  mark(at) {
    this.at = at;
    this.options.forEach((option, i) => setAttribute(option, "aria-selected", String(i === at)));
    setAttribute(this.input, "aria-activedescendant", at >= 0 ? `found-${at}` : null);
    this.options[at]?.scrollIntoView({ block: "nearest" });
  }

  choose(at) {
    const id = this.ids[at];
    if (id === undefined) return;
    this.close();
    this.input.value = "";
    this.input.blur();
    location.hash = bucketHash(id);
  }

  close() {
    clearTimeout(this.timer);
    this.list.hidden = true;
    this.options = [];
    this.ids = [];
    setAttribute(this.input, "aria-expanded", "false");
    setAttribute(this.input, "aria-activedescendant", null);
  }

  onKey(event) {
    const open = !this.list.hidden && this.options.length > 0;
    const turn = (step) => this.mark((this.at + step + this.options.length) % this.options.length);
    if (event.key === "Escape") {
      if (this.list.hidden) this.input.blur();
      this.input.value = "";
      this.close();
    } else if (open && event.key === "ArrowDown") turn(1);
    else if (open && event.key === "ArrowUp") turn(-1);
    else if (open && event.key === "Enter") this.choose(this.at);
    else return;
    event.preventDefault();
  }
}
