// SPDX-License-Identifier: BSD-3-Clause
// Quantities as people read them.

function scaled(value, steps, base) {
  let index = 0;
  while (index + 1 < steps.length && Math.abs(value) >= base * 0.9995) {
    value /= base;
    ++index;
  }
  return `${digits(value)} ${steps[index]}`.trim();
}

/** Three digits that say something. */
function digits(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return trimmed(value.toFixed(1));
  return trimmed(value.toFixed(2)) || value.toPrecision(1);
}

function trimmed(text) {
  const short = text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
  return short === "0" || short === "-0" ? "0" : short;
}

export function bitRate(bps) {
  return scaled(bps, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"], 1000);
}

export function unitRate(pps) {
  return `${scaled(pps, ["", "k", "M", "G"], 1000)}/s`;
}

export function bytes(count) {
  return scaled(count, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);
}

export function count(value) {
  return Math.round(value).toLocaleString("en");
}

/** A count that must stay short. */
export function brief(value) {
  return value < 10000 ? count(value) : scaled(value, ["", "k", "M", "G"], 1000);
}

export function duration(ns) {
  if (ns < 1e9) return scaled(ns, ["ns", "µs", "ms"], 1000);
  const seconds = ns / 1e9;
  if (seconds < 100) return `${digits(seconds)} s`;
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min`;
}

export function clock(ms, withSeconds = true) {
  const options = { hour: "2-digit", minute: "2-digit", hour12: false };
  if (withSeconds) options.second = "2-digit";
  return new Date(ms).toLocaleTimeString("en-GB", options);
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** The rate of a row in the unit in which its ceiling is; bits first. */
export function ofRow(row) {
  const inBits = row.ceiling_bps !== null || (row.ceiling_pps === null && row.bps > 0);
  const units = !inBits && (row.ceiling_pps !== null || row.pps > 0);
  const format = units ? unitRate : bitRate;
  const share = units ? row.share_pps : row.share_bps;
  const configured = units ? row.ceiling_pps : row.ceiling_bps;
  return {
    format,
    now: units ? row.pps : row.bps,
    // Of a bucket that nodes share, what this one may use.
    ceiling: share ?? configured,
    guarantee: (units ? row.guarantee_pps : row.guarantee_bps) ?? null,
  };
}

export const STATES = {
  idle: ["Idle", "Nothing is sent and nothing waits"],
  passing: ["Passing", "Sends, and nothing waits"],
  itself: ["Itself", "Waits for its own rate"],
  ancestor: ["Ancestor", "Waits for the rate of a node above it"],
  siblings: ["Siblings", "Waits for its turn among its siblings"],
  egress: ["Port", "Waits for room at its port"],
  lease: ["No lease", "No lease lets it send"],
};
