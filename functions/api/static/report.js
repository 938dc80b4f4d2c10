// The report of one customer: ask for the numbers, then draw them.

import { askJson, isUnaskable, statsPath } from "./api.js";
import { latencyChart, requestsChart, uptimeChart } from "./charts.js";
import { byId } from "./dom.js";
import { dayName, FIRST_DAY, fittingInterval, LAST_DAY, periods, toDay, toText } from "./periods.js";
import { showTable } from "./table.js";
import { showObjective, showTotals } from "./totals.js";

const USUAL_DAYS = 30;

/** The first and last day with requests of a customer, as texts, or null if it is not known. */
export async function askBounds(customer, signal) {
  if (isUnaskable(customer)) return null;
  try {
    const { customers } = await askJson(`customers?${new URLSearchParams({ prefix: customer, limit: 1 })}`, signal);
    const [found] = customers; // the shortest of those that start like this comes first
    return found?.customer_id === customer ? { first: found.first_date, last: found.last_date } : null;
  } catch (error) {
    if (error.status !== 403) throw error;
  }
  // A token for one customer may not list customers: its months tell roughly the same.
  const months = await askJson(statsPath(customer, { from: "0001-01-01", interval: "month" }), signal);
  if (!months.length) return null;
  return { first: months[0].date, last: toText(toDay(months.at(-1).date) + 30) };
}

/** The range to show: the asked one, or the last days with requests. */
export function rangeOf(state, bounds) {
  const to = state.to ?? bounds.last;
  const before = toText(toDay(to) - USUAL_DAYS + 1);
  return { from: state.from ?? (before > "0001" && before <= to ? before : to), to };
}

/** Ask for everything that a report shows. */
export async function askReport(state, { from, to }, signal) {
  const interval = state.interval ?? fittingInterval(...drawn(from, to));
  const path = (query) => statsPath(state.customer, { from, to, ...query });
  const [rows, [total]] = await Promise.all([
    askJson(path(interval === "day" ? {} : { interval }), signal),
    askJson(path({ interval: "total" }), signal),
  ]);
  const starts = from <= to ? periods(...drawn(from, to), interval) : [];
  const byDate = new Map(rows.map((row) => [row.date, row]));
  return { from, to, interval, starts, rows: starts.map((start) => byDate.get(start)), all: rows, total };
}

/** Log lines cannot have other days: a longer chart would be empty beyond them. */
function drawn(from, to) {
  return [Math.max(toDay(from), FIRST_DAY), Math.min(toDay(to), LAST_DAY)];
}

/** Draw a report. Its charts share a cursor. */
export function drawReport(report, state) {
  byId("range").textContent = `${dayName(report.from)} – ${dayName(report.to)}, UTC`;
  showTotals(byId("totals"), report.total);
  showTable(byId("table"), report);
  drawCharts(report, state);
}

/** Draw the charts alone: their width, their scale or the objective has changed. */
export function drawCharts(report, state) {
  const select = (index) => moves.forEach((move) => move(index));
  const view = { ...report, select };
  const part = (name) => [byId(name), byId(`${name}-legend`), view];
  const moves = [
    requestsChart(...part("requests")),
    latencyChart(...part("latency"), state.log),
    uptimeChart(...part("uptime"), state.objective),
  ];
  showObjective(byId("objective-result"), report.all, report.total, state.objective, report.interval);
  select(null);
}
