// The numbers as a table: one line per period, and one for every run of periods without requests.

import { h, tableOf } from "./dom.js";
import { count, duration, uptime } from "./format.js";
import { dayName, periodName, shortDayName } from "./periods.js";

const COUNTS = ["total_requests", "timed_requests", "success_requests", "failed_requests", "client_errors", "server_errors"];
const DURATIONS = ["mean", "p50", "p90", "p95", "p99", "max"];
const HEADINGS = ["Requests", "Timed", "Success", "Failed", "4xx", "5xx", "Uptime", "Mean", "p50", "p90", "p95", "p99", "Max"];

/** Show the rows of a view; the region around it scrolls. */
export function showTable(place, { starts, rows, interval }) {
  const lines = [];
  for (let index = 0; index < starts.length; index += 1) {
    if (rows[index]) {
      lines.push(line(rows[index], interval));
      continue;
    }
    const first = index;
    while (index + 1 < starts.length && !rows[index + 1]) index += 1;
    lines.push(gap(starts[first], starts[index], index - first + 1, interval));
  }
  const period = `${interval[0].toUpperCase()}${interval.slice(1)}`;
  place.replaceChildren(tableOf({}, [period, ...HEADINGS], h("tbody", {}, ...lines)));
}

function line(row, interval) {
  const cell = (field, text) => h("td", {}, h("data", { value: row[field], "data-field": field }, text));
  return h(
    "tr",
    { "data-date": row.date },
    h("th", { scope: "row" }, h("time", { datetime: row.date }, periodName(row.date, interval))),
    ...COUNTS.map((field) => cell(field, count(row[field]))),
    cell("uptime_percentage", uptime(row.total_requests, row.server_errors)),
    ...DURATIONS.map((name) => cell(`duration_${name}`, duration(row[`duration_${name}`]))),
  );
}

function gap(first, last, length, interval) {
  const name = length === 1 ? periodName(first, interval) : `${shortDayName(first)} – ${dayName(last)}`;
  const text = length === 1 ? "no requests" : `no requests for ${length} ${interval}s`;
  return h("tr", { class: "none" }, h("th", { scope: "row" }, name), h("td", { colspan: HEADINGS.length }, text));
}
