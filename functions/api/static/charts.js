// The three charts: requests by outcome, latency percentiles, and what is missing to full uptime.

import { chart } from "./chart.js";
import { svg } from "./dom.js";
import { count, duration, percent, roughCount, uptime } from "./format.js";
import { missed } from "./objective.js";
import { linear, logarithmic } from "./scale.js";

const OUTCOMES = [
  ["success", "Success", "success_requests"],
  ["client", "Client error (4xx)", "client_errors"],
  ["server", "Server error (5xx)", "server_errors"],
];
const LEAST_PX = 1.5;
const PERCENTILES = ["p50", "p90", "p99"];

/** Requests of each period, stacked by outcome. */
export function requestsChart(place, legend, view) {
  const highest = Math.max(1, ...present(view).map((row) => row.total_requests));
  return chart(place, legend, view, {
    title: `Requests per ${view.interval}`,
    scale: linear(highest, { least: 1 }),
    format: roughCount,
    legend: OUTCOMES.map(([kind, name, field]) => ({ kind, name, value: (row) => count(row[field]) })),
    draw: (area) => stacks(area, view),
  });
}

function stacks(area, { rows }) {
  const base = rows.map(() => 0);
  return OUTCOMES.map(([kind, , field]) => {
    const boxes = rows.map((row, index) => {
      if (!row?.[field]) return "";
      const low = base[index];
      const height = area.bottom - area.y(row[field]);
      base[index] += Math.max(height, LEAST_PX); // one error among thousands must be seen
      return box(area, index, area.bottom - base[index], area.bottom - low);
    });
    return svg("path", { class: `bar ${kind}`, d: boxes.join("") });
  });
}

/** The percentiles of each period, as lines that break where there were no requests, or none with a duration. */
export function latencyChart(place, legend, view, log) {
  const values = present(view).filter(isTimed).flatMap((row) => PERCENTILES.map((name) => row[`duration_${name}`]));
  const highest = Math.max(...values, 0.001);
  const lowest = Math.min(...values.filter((value) => value > 0), highest);
  const scale = log ? logarithmic(lowest, highest) : linear(highest);
  return chart(place, legend, view, {
    title: `Latency per ${view.interval}`,
    scale,
    format: duration,
    legend: PERCENTILES.map((name) => ({ kind: name, name, value: (row) => duration(row[`duration_${name}`]) })),
    draw: (area) => [...PERCENTILES.map((name) => polyline(area, view, name, lowest, log)), ...ends(area, view, lowest, log)],
  });
}

const isTimed = (row) => Boolean(row?.timed_requests);
const onScale = (value, lowest, log) => (log ? Math.max(value, lowest) : value); // log has no place for 0

function polyline(area, { rows }, name, lowest, log) {
  const points = rows.map((row, index) => {
    if (!isTimed(row)) return "";
    const at = `${area.middle(index).toFixed(1)} ${area.y(onScale(row[`duration_${name}`], lowest, log)).toFixed(1)}`;
    return isTimed(rows[index - 1]) ? `L${at}` : `M${at}h.01`; // one period alone is a dot
  });
  return svg("path", { class: `line ${name}`, d: points.join("") });
}

/** The names of the lines, at the right of their last points, not one on another. */
function ends(area, view, lowest, log) {
  const last = view.rows.findLast(isTimed);
  if (!last) return [];
  let free = area.bottom;
  return PERCENTILES.map((name) => {
    const y = Math.min(area.y(onScale(last[`duration_${name}`], lowest, log)) + 4, free);
    free = y - 12;
    return svg("text", { class: `name ${name}`, x: area.right + 5, y }, name);
  });
}

/** Downtime of each period, hanging from 100 %, and how far down the objective allows it to come. */
export function uptimeChart(place, legend, view, objective) {
  const worst = Math.min(objective, ...present(view).map((row) => row.uptime_percentage));
  const scale = linear(100, { low: Math.min(worst, 99.99), count: 4 });
  const kinds = [
    ["met", "Objective met", (row) => (missed(row, objective) ? "" : uptime(row.total_requests, row.server_errors))],
    ["missed", "missed", (row) => (missed(row, objective) ? uptime(row.total_requests, row.server_errors) : "")],
  ];
  return chart(place, legend, view, {
    title: `Uptime per ${view.interval}, objective ${percent(objective)}`,
    scale,
    format: percent,
    legend: kinds.map(([kind, name, value]) => ({ kind, name, value })),
    draw: (area) => [
      ...["met", "missed"].map((kind) => icicles(area, view, kind, objective)),
      svg("line", { class: "objective-line", x1: area.left, x2: area.right, y1: area.y(objective), y2: area.y(objective) }),
    ],
  });
}

function icicles(area, { rows }, kind, objective) {
  const boxes = rows.map((row, index) => {
    if (!row || missed(row, objective) !== (kind === "missed")) return "";
    const low = area.y(row.uptime_percentage);
    return box(area, index, area.top, Math.max(low, area.top + 2)); // a day without errors has a visible cap
  });
  return svg("path", { class: `bar ${kind}`, d: boxes.join("") });
}

function present(view) {
  return view.rows.filter(Boolean);
}

/** A bar of one period: bars have a gap between them where there is room for one. */
function box(area, index, top, bottom) {
  const gap = area.band >= 4 ? Math.min(Math.max(1, area.band * 0.18), 8) : 0;
  const [x, width] = [area.x(index) + gap / 2, area.band - gap];
  return `M${x.toFixed(2)} ${top.toFixed(2)}h${width.toFixed(2)}V${bottom.toFixed(2)}h${(-width).toFixed(2)}z`;
}
