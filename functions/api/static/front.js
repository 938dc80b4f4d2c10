// The front: all customers over a range, compared with the range of the same length before.

import { askJson } from "./api.js";
import { showBreakdownOfAll } from "./breakdown.js";
import { requestsChart } from "./charts.js";
import { byId, h } from "./dom.js";
import { count, duration, percentChange, plural, pointsChange, uptime } from "./format.js";
import { dayName, periods, toDay } from "./periods.js";
import { CHART_DAYS, customerAddress, daysBefore, showRanking } from "./ranking.js";

const MOST_DAYS = 400; // more bars than this a screen cannot show
const SHOWN_SILENT = 20;

/** The last day that is over and has requests, or else the last day with requests; null if there are none. */
export async function lastDay(signal) {
  const { to } = await askOverview({}, signal);
  const yesterday = daysBefore(new Date().toISOString().slice(0, 10), 1);
  if (to === null || to <= yesterday) return to;
  const before = await askOverview({ from: yesterday, to: yesterday }, signal);
  return before.total.total_requests ? yesterday : to;
}

/** Ask for the front and show it: counts first, then what needs every customer's histogram or breakdown. Returns as `showAll` does. */
export async function showFront(state, range, page) {
  const { signal } = page;
  const { from, to } = range;
  byId("range").textContent = from === to ? `${dayName(from)}, UTC` : `${dayName(from)} – ${dayName(to)}, UTC`;
  const counts = async () => {
    const [overview, drawn] = await Promise.all([askOverview({ from, to }, signal), chartDays(range, signal)]);
    showTiles(overview);
    drawFront(drawn);
    showSilent(overview, state);
    showLedger(overview.ledger);
    performance.mark("front");
    return [overview, drawn];
  };
  const [[{ total, days }, drawn]] = await Promise.all([counts(), ranking(state, range, page)]);
  askOverview({ from, to, percentiles: true }, signal).then(showTiles).catch((error) => {
    if (error.status === 422) byId("all-totals").querySelector(".p99 dd").replaceChildren(h("small", {}, "too many histograms for one answer"));
    else page.failed(error);
  });
  const customerDays = days.reduce((sum, day) => sum + day.active_customers, 0);
  return {
    words: `${plural(total.total_requests, "request")} of ${plural(total.active_customers, "customer")}`,
    redraw: () => drawFront(drawn),
    more: () => showBreakdownOfAll(state, range, customerDays, page),
  };
}

/** Show the customers; if there are too many for an order, say so in their place, beside the way back to the usual order. */
async function ranking(state, range, page) {
  const place = byId("ranking");
  try {
    await showRanking(place, state, range, page);
  } catch (error) {
    if (error.status !== 422 || state.sort === null) throw error;
    page.failIn(place, error);
    byId("ranking-csv").hidden = true;
    place.append(" ", h("button", { type: "button", onclick: () => page.change({ sort: null }) }, "Most server errors first"));
  }
}

function askOverview(query, signal) {
  return askJson(`overview?${new URLSearchParams({ percentiles: false, ...query })}`, signal);
}

/** The days to draw: the range, or the last 30 up to its end if it is shorter. */
async function chartDays({ from, to }, signal) {
  const least = daysBefore(to, CHART_DAYS - 1);
  const most = daysBefore(to, MOST_DAYS - 1);
  const first = from > least ? least : from < most ? most : from;
  const { days } = await askOverview({ from: first, to }, signal);
  const byDate = new Map(days.map((day) => [day.date, day]));
  const starts = periods(toDay(first), toDay(to), "day");
  return { starts, rows: starts.map((start) => byDate.get(start)), interval: "day" };
}

/** Draw the chart of all requests. */
function drawFront(days) {
  const select = (index) => move(index);
  const move = requestsChart(byId("all-requests"), byId("all-requests-legend"), { ...days, select });
  select(null);
}

function showTiles(overview) {
  const { total, before } = overview;
  const requests = total.total_requests;
  const merged = "duration_p99" in total;
  const data = (field, text) => h("data", { value: total[field] ?? "", "data-field": field }, text);
  const versus = (text) => (before ? [h("small", {}, text)] : []);
  const were = (field) => versus(`${count(before?.[field] ?? 0)} before`);
  const tiles = [
    ["Requests", data("total_requests", count(requests)), versus(percentChange(overview.change_requests))],
    ["Customers", data("active_customers", count(total.active_customers)), were("active_customers")],
    ["Uptime", data("uptime_percentage", requests ? uptime(requests, total.server_errors) : "–"), versus(pointsChange(overview.change_uptime_percentage))],
    ["Server errors (5xx)", data("server_errors", count(total.server_errors)), were("server_errors"), "server"],
    ["Client errors (4xx)", data("client_errors", count(total.client_errors)), were("client_errors"), "client"],
    ["p99", merged ? data("duration_p99", duration(total.duration_p99)) : "…", merged ? versus(percentChange(overview.change_p99)) : [], "p99"],
  ];
  byId("all-totals").replaceChildren(
    ...tiles.map(([name, value, beside, kind = ""]) => h("div", { class: `tile ${kind}` }, h("dt", {}, name), h("dd", {}, value, ...beside))),
  );
  byId("compared").textContent = before
    ? `Compared with ${before.from === before.to ? dayName(before.from) : `${dayName(before.from)} – ${dayName(before.to)}`}.`
    : "There are no requests just before to compare with.";
}

/** Name the customers that were active before, and are not now, most requests first. */
function showSilent({ silent_customers: silent, before }, state) {
  const section = byId("silent");
  section.hidden = silent.count === 0;
  if (section.hidden) return;
  const item = ({ customer_id: id, requests_before: requests }) =>
    h("li", {}, h("a", { href: customerAddress(id, state, before) }, h("bdi", {}, id)), h("small", {}, ` ${plural(requests, "request")} before`));
  const shown = silent.customers.slice(0, SHOWN_SILENT).map(item);
  const left = silent.count - shown.length;
  const rest = left ? [h("li", { class: "hint" }, `and ${count(left)} more`)] : [];
  byId("silent-title").textContent = `${plural(silent.count, "customer")} fell silent`;
  byId("silent-list").replaceChildren(...shown, ...rest);
}

function showLedger(ledger) {
  byId("ledger").hidden = ledger.objects === 0;
  const parts = [`${plural(ledger.objects, "file")} with ${plural(ledger.lines, "line")}`];
  for (const field of ["rejected", "expired"]) if (ledger[field]) parts.push(`${plural(ledger[field], "line")} ${field}`);
  if (ledger.unrecognised) parts.push(`${plural(ledger.unrecognised, "file")} in no known format`);
  byId("ledger").textContent = `Committed on these days: ${parts.join(", ")}.`;
}

