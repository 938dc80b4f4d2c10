// The numbers as a table: one line per period, and one for every run of periods without requests.

import { h, tableOf } from "./dom.js";
import { count, duration, uptime } from "./format.js";
import { dayName, periodName, shortDayName } from "./periods.js";

/** The headings of fields; another one that the API has is shown under its own name. */
const HEADINGS = {
  total_requests: "Requests",
  timed_requests: "Timed",
  success_requests: "Success",
  failed_requests: "Failed",
  client_errors: "4xx",
  server_errors: "5xx",
  uptime_percentage: "Uptime",
  duration_mean: "Mean",
  duration_p50: "p50",
  duration_p90: "p90",
  duration_p95: "p95",
  duration_p99: "p99",
  duration_max: "Max",
};

/** Show the rows of a view, of which there are some; the region around it scrolls. */
export function showTable(place, { starts, rows, interval }) {
  const fields = Object.keys(rows.find(Boolean)).filter((field) => field !== "customer_id" && field !== "date");
  const lines = [];
  for (let index = 0; index < starts.length; index += 1) {
    if (rows[index]) {
      lines.push(line(rows[index], fields, interval));
      continue;
    }
    const first = index;
    while (index + 1 < starts.length && !rows[index + 1]) index += 1;
    lines.push(gap(starts[first], starts[index], index - first + 1, fields.length, interval));
  }
  const period = `${interval[0].toUpperCase()}${interval.slice(1)}`;
  place.replaceChildren(tableOf({}, [period, ...fields.map((field) => HEADINGS[field] ?? field)], h("tbody", {}, ...lines)));
}

function line(row, fields, interval) {
  const cells = fields.map((field) => h("td", {}, h("data", { value: row[field], "data-field": field }, textOf(row, field))));
  return h("tr", { "data-date": row.date }, h("th", { scope: "row" }, h("time", { datetime: row.date }, periodName(row.date, interval))), ...cells);
}

function textOf(row, field) {
  if (field === "uptime_percentage") return uptime(row.total_requests, row.server_errors);
  return field.startsWith("duration_") ? duration(row[field]) : count(row[field]);
}

function gap(first, last, length, columns, interval) {
  const name = length === 1 ? periodName(first, interval) : `${shortDayName(first)} – ${dayName(last)}`;
  const text = length === 1 ? "no requests" : `no requests for ${length} ${interval}s`;
  return h("tr", { class: "none" }, h("th", { scope: "row" }, name), h("td", { colspan: columns }, text));
}
