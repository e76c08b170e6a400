// SPDX-License-Identifier: BSD-3-Clause
// Plots of the last ten minutes, by Chart.js.
import { h, setAttribute } from "/dom.js";
import { bitRate, clock, count, duration, unitRate } from "/format.js";

const SPAN_MS = 600_000;
const GAP_MS = 6_000; // Samples further apart have nothing between them.

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function translucent(hex, alpha) {
  const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return `rgba(${parts.join(",")},${alpha})`;
}

/** Samples of one node as they come, the last ten minutes of them. */
export class Samples {
  constructor() {
    this.clear();
  }

  clear() {
    this.next = 0;
    this.times = [];
    this.series = new Map();
  }

  /** What `history` (of /api/history) adds to what is there. */
  take(history) {
    if (history.first !== this.next || history.next < this.next) this.clear();
    const lists = {
      bps: history.bps,
      pps: history.pps,
      backlog: history.backlog,
      p50: history.sojourn_p50_ns,
      p99: history.sojourn_p99_ns,
    };
    for (const [reason, list] of Object.entries(history.lost_per_second)) lists[`lost:${reason}`] = list;
    for (const [side, { p50_ns, p90_ns }] of Object.entries(history.round_trips)) {
      lists[`p50:${side}`] = p50_ns;
      lists[`p90:${side}`] = p90_ns;
    }
    for (const name of new Set([...this.series.keys(), ...Object.keys(lists)])) {
      if (!this.series.has(name)) this.series.set(name, Array(this.times.length).fill(0));
      this.series.get(name).push(...(lists[name] ?? Array(history.times_ms.length).fill(0)));
    }
    this.times.push(...history.times_ms);
    this.next = history.next;
    const old = this.times.findIndex((time) => time >= this.times.at(-1) - SPAN_MS);
    if (old > 0) {
      this.times.splice(0, old);
      for (const list of this.series.values()) list.splice(0, old);
    }
  }

  /** Points of one series; a gap where there are no samples, and where 0 says that nobody knows. */
  points(name, unknown = false) {
    const list = this.series.get(name) ?? [];
    const points = [];
    this.times.forEach((time, i) => {
      if (i > 0 && time - this.times[i - 1] > GAP_MS) points.push({ x: time - 1, y: null });
      points.push({ x: time, y: unknown && list[i] === 0 ? null : list[i] });
    });
    return points;
  }

  reasons() {
    return [...this.series.keys()]
      .filter((name) => name.startsWith("lost:") && this.series.get(name).some((value) => value > 0))
      .map((name) => name.slice(5));
  }

  last(name) {
    return this.series.get(name)?.at(-1) ?? 0;
  }

  /** The last value that is not 0; 0 if there is none. */
  lastKnown(name) {
    return this.series.get(name)?.findLast((value) => value > 0) ?? 0;
  }

  most(name) {
    return Math.max(0, ...(this.series.get(name) ?? []));
  }
}

/** For map(): the radius of a dot for a point that has no other one within `span` ms, else 0. */
function loneRadius(span) {
  return ({ x, y }, index, points) => {
    if (y === null) return 0;
    const near = (step) => {
      for (let i = index + step; points[i] && Math.abs(points[i].x - x) <= span; i += step) {
        if (points[i].y !== null) return true;
      }
      return false;
    };
    return near(-1) || near(1) ? 0 : 1.5;
  };
}

/** One plot: `kind` has its title, how its values are written, and its lines. */
class Plot {
  constructor(kind) {
    this.kind = kind;
    this.canvas = h("canvas", { role: "img" });
    this.note = h("span", { class: "plot-note" });
    this.element = h(
      "figure",
      { class: "plot" },
      h("figcaption", {}, h("span", {}, kind.title), this.note),
      h("div", { class: "plot-area" }, this.canvas),
    );
  }

  make() {
    const grid = colour("--grid");
    const text = colour("--muted");
    const font = { family: getComputedStyle(document.body).fontFamily, size: 11 };
    this.chart = new Chart(this.canvas, {
      type: "line",
      data: { datasets: [] },
      options: {
        animation: false,
        parsing: false,
        normalized: true,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        elements: { point: { radius: 0, hoverRadius: 3 }, line: { borderWidth: 1.5 } },
        scales: {
          x: {
            type: "linear",
            grid: { color: grid, drawTicks: false },
            border: { display: false },
            ticks: {
              color: text,
              font,
              stepSize: 120_000,
              maxRotation: 0,
              padding: 6,
              callback: (value) => clock(value, false),
            },
            afterBuildTicks: (axis) => {
              const ticks = [];
              const first = Math.ceil(axis.min / 120_000) * 120_000;
              for (let time = first; time <= axis.max; time += 120_000) ticks.push({ value: time });
              axis.ticks = ticks;
            },
          },
          y: {
            beginAtZero: true,
            stacked: this.kind.stacked ?? false,
            grid: { color: grid, drawTicks: false },
            border: { display: false },
            afterFit: (axis) => {
              axis.width = 74; // So that plots below one another have one time axis.
            },
            ticks: {
              color: text,
              font,
              padding: 6,
              maxTicksLimit: 5,
              callback: (value) => this.format(value),
            },
          },
        },
        plugins: {
          legend: { display: false },
          tooltip: {
            backgroundColor: colour("--tip"),
            titleColor: colour("--tip-text"),
            bodyColor: colour("--tip-text"),
            displayColors: true,
            boxWidth: 8,
            boxHeight: 8,
            padding: 8,
            filter: (item) => !item.dataset.limit,
            callbacks: {
              title: (items) => (items.length > 0 ? clock(items[0].parsed.x) : ""),
              label: (item) => ` ${item.dataset.label}: ${this.format(item.parsed.y)}`,
            },
          },
        },
      },
    });
  }

  update(samples, context) {
    const shown = this.kind.shown?.(samples) ?? true;
    this.element.hidden = !shown;
    if (!shown) return;
    this.format = (value) => this.kind.format(value, context);
    if (!this.chart) this.make();
    const lines = this.kind.lines(samples, context);
    const end = samples.times.at(-1) ?? Date.now();
    const { datasets } = this.chart.data;
    datasets.length = lines.length;
    lines.forEach((line, i) => {
      const stroke = colour(line.colour);
      datasets[i] = Object.assign(datasets[i] ?? {}, {
        label: line.name,
        data: line.points,
        limit: line.limit,
        borderColor: stroke,
        backgroundColor: line.filled ? translucent(stroke, 0.14) : stroke,
        fill: line.filled ? (this.kind.stacked && i > 0 ? "-1" : "origin") : false,
        borderDash: line.limit ? [4, 4] : line.dashed ? [3, 3] : [],
        borderWidth: line.limit || line.dashed ? 1 : 1.6,
        pointRadius: this.kind.dots ? line.points.map(loneRadius(this.kind.spans)) : 0,
        spanGaps: this.kind.spans ?? false,
      });
    });
    Object.assign(this.chart.options.scales.x, { min: end - SPAN_MS, max: end });
    this.chart.options.scales.y.suggestedMax = this.kind.least?.(context);
    this.chart.update("none");
    const said = this.kind.say(samples, context);
    const keys = this.kind.keys ? lines.filter((line) => !line.limit && !line.dashed) : [];
    this.note.replaceChildren(...keys.map(
      (line) => h("span", { class: "key", "data-colour": line.colour }, line.name),
    ), said);
    setAttribute(this.canvas, "aria-label", `${this.kind.title} of the last ten minutes: ${said}`);
  }

  destroy() {
    this.chart?.destroy();
    this.chart = null;
  }
}

const LOSS_COLOURS = ["--line-4", "--line-2", "--line-5", "--line-3", "--line-1"];
const LOSS_NAMES = {
  full: "full",
  full_bytes: "full (bytes)",
  draining: "draining",
  too_long: "frame too long",
  wait_too_long: "would wait too long",
  overflow: "queue overflow",
  aqm: "AQM",
  max_wait: "waited too long",
  other: "other",
};

export function lossName(reason) {
  return LOSS_NAMES[reason] ?? reason;
}

const SIDES = [
  { side: "to_destination", name: "to destination", colour: "--line-1" },
  { side: "to_source", name: "to source", colour: "--line-5" },
];

function measuredSides(samples) {
  return SIDES.filter(({ side }) => samples.most(`p50:${side}`) > 0);
}

// `context`: {units: whether rates are in units, ceiling}.
const KINDS = {
  rate: {
    title: "Rate",
    format: (value, { units }) => (units ? unitRate(value) : bitRate(value)),
    least: ({ ceiling }) => (ceiling ? ceiling * 1.05 : undefined),
    lines: (samples, { units, ceiling }) => {
      const lines = [
        { name: "Rate", points: samples.points(units ? "pps" : "bps"), colour: "--line-1", filled: true },
      ];
      if (ceiling && samples.times.length > 0) {
        const ends = [samples.times.at(-1) - SPAN_MS, samples.times.at(-1)];
        lines.push({
          name: "Ceiling",
          points: ends.map((x) => ({ x, y: ceiling })),
          colour: "--muted",
          limit: true,
        });
      }
      return lines;
    },
    say: (samples, context) => {
      const series = context.units ? "pps" : "bps";
      const format = context.units ? unitRate : bitRate;
      return `now ${format(samples.last(series))}, at most ${format(samples.most(series))}`;
    },
  },
  backlog: {
    title: "Backlog",
    format: (value) => count(value),
    lines: (samples) => [
      { name: "Backlog", points: samples.points("backlog"), colour: "--line-2", filled: true },
    ],
    say: (samples) =>
      `now ${count(samples.last("backlog"))}, at most ${count(samples.most("backlog"))}`,
  },
  sojourn: {
    title: "Sojourn",
    spans: 30_000, // In some steps nothing departs.
    keys: true,
    format: (value) => duration(value),
    lines: (samples) => [
      { name: "p99", points: samples.points("p99", true), colour: "--line-3" },
      { name: "median", points: samples.points("p50", true), colour: "--line-1" },
    ],
    say: (samples) => `now ${duration(samples.last("p50"))} and ${duration(samples.last("p99"))}`,
  },
  // Of TCP connections of which packets are sampled: many buckets have none.
  roundTrip: {
    title: "Round trip",
    spans: 60_000, // A connection is looked at now and then.
    dots: true, // What has no neighbour is no line.
    keys: true,
    shown: (samples) => measuredSides(samples).length > 0,
    format: (value) => duration(value),
    lines: (samples) =>
      measuredSides(samples).flatMap(({ side, name, colour: line }) => [
        { name, points: samples.points(`p50:${side}`, true), colour: line },
        { name: `${name}, p90`, points: samples.points(`p90:${side}`, true), colour: line, dashed: true },
      ]),
    say: (samples) => {
      const now = measuredSides(samples).map(({ side }) => duration(samples.lastKnown(`p50:${side}`)));
      return `${now.join(" and ")}, dashed p90`;
    },
  },
  loss: {
    title: "Losses",
    keys: true,
    stacked: true,
    format: (value) => unitRate(value),
    lines: (samples) =>
      samples.reasons().map((reason, i) => ({
        name: lossName(reason),
        points: samples.points(`lost:${reason}`),
        colour: LOSS_COLOURS[i % LOSS_COLOURS.length],
        filled: true,
      })),
    say: (samples) => {
      const reasons = samples.reasons();
      if (reasons.length === 0) return "none";
      return `now ${unitRate(reasons.reduce((sum, reason) => sum + samples.last(`lost:${reason}`), 0))}`;
    },
  },
};

/** Plots one below the other. */
export class Plots {
  constructor(kinds) {
    this.plots = kinds.map((kind) => new Plot(KINDS[kind]));
    this.element = h("div", { class: "plots" }, this.plots.map((plot) => plot.element));
  }

  update(samples, context) {
    this.last = [samples, context];
    for (const plot of this.plots) plot.update(samples, context);
  }

  /** With the colours as they are now. */
  redraw() {
    if (!this.last) return;
    this.destroy();
    this.update(...this.last);
  }

  destroy() {
    for (const plot of this.plots) plot.destroy();
  }
}
