// The table of all customers over a range, in the order that the state says, 50 at a time.

import { askJson } from "./api.js";
import { h, svg } from "./dom.js";
import { offerCsv } from "./downloads.js";
import { count, duration, percentChange, pointsChange, uptime } from "./format.js";
import { toDay, toText } from "./periods.js";
import { writeState } from "./state.js";

/** Worst first: those with most server errors. */
export const USUAL_SORT = "-server_errors";
/** Days of each customer's small chart, up to the last of the range. */
export const CHART_DAYS = 30;

const ROWS = 50;
const [BAR_PX, SPARK_PX] = [3, 20];
const numberCell = (field, write) => (row) => h("td", {}, h("data", { value: row[field] ?? "", "data-field": field }, write(row[field], row)));
/** The columns of a table of customers; `first` is the direction of the first click. */
export const COLUMNS = [
  { field: "total_requests", name: "Requests", cell: numberCell("total_requests", count) },
  { field: "change_requests", name: "Change", of: "requests", first: "", cell: numberCell("change_requests", percentChange) },
  { field: "uptime_percentage", name: "Uptime", first: "", cell: numberCell("uptime_percentage", (_, row) => uptime(row.total_requests, row.server_errors)) },
  { field: "change_uptime_percentage", name: "Change", of: "uptime", first: "", cell: numberCell("change_uptime_percentage", pointsChange) },
  { field: "server_errors", name: "5xx", cell: numberCell("server_errors", count) },
  { field: "client_errors", name: "4xx", cell: numberCell("client_errors", count) },
  { field: "duration_p50", name: "p50", cell: numberCell("duration_p50", duration) },
  { field: "duration_p99", name: "p99", cell: numberCell("duration_p99", duration) },
  { field: "change_p99", name: "Change", of: "p99", cell: numberCell("change_p99", percentChange) },
];
const CUSTOMER = { field: "customer_id", name: "Customer", first: "" };

/** Ask for the customers of a range; show them in a place, with the button that saves them as CSV. */
export async function showRanking(place, state, range, { signal, failIn, change }) {
  const resort = (sort) => change({ sort });
  const failed = (error) => failIn(place, error);
  const body = h("tbody");
  const more = h("button", { type: "button", hidden: true }, "Show more");
  const ask = async (after) => {
    const answer = await askRanking(state, range, { limit: ROWS, days: CHART_DAYS, ...after }, signal);
    body.append(...answer.customers.map((row) => customerLine(row, state, range)));
    more.hidden = answer.next === null;
    more.onclick = () => ask({ after: answer.next }).catch(failed);
    return answer.customers.length;
  };
  const number = await ask({});
  const sort = state.sort ?? USUAL_SORT;
  const charts = h("th", { scope: "col" }, `${CHART_DAYS} days`);
  const [first, ...others] = [CUSTOMER, ...COLUMNS].map((column) => sortHeading(column, sort, resort));
  const table = h("table", { class: "ranking sortable" }, h("thead", {}, h("tr", {}, first, charts, ...others)), body);
  const nobody = h("p", { class: "hint" }, state.prefix ? "No customer with requests in the range starts like this." : "No customer has requests in this range.");
  place.removeAttribute("role");
  offerCsv("ranking", rankingPath(state, range, {}), `customers_${range.from}_${range.to}`, failIn);
  if (number) place.replaceChildren(h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Table of customers" }, table), more);
  else place.replaceChildren(nobody);
}

/** Ask for a page of the customers of a range, in the order of the state. */
export async function askRanking(state, range, query, signal) {
  return askJson(rankingPath(state, range, query), signal);
}

function rankingPath(state, { from, to }, query) {
  const prefix = state.prefix ? { prefix: state.prefix } : {};
  return `customers?${new URLSearchParams({ from, to, sort: state.sort ?? USUAL_SORT, ...prefix, ...query })}`;
}

/** The address of a customer's report on the same range, which knows the list it was chosen from. */
export function customerAddress(customer, state, { from, to }) {
  return writeState({ ...state, customer, route: null, order: null, from, to, sort: state.sort ?? USUAL_SORT });
}

/** The heading of a column that `resort` orders by: by another column, or in the other direction. */
export function sortHeading({ field, name, of, first = "-" }, sort, resort) {
  const isSorted = sort.replace(/^-/, "") === field;
  const next = isSorted ? (sort.startsWith("-") ? field : `-${field}`) : first + field;
  const direction = sort.startsWith("-") ? "descending" : "ascending";
  const button = h("button", { type: "button", class: "plain", "aria-label": of ? `${name} of ${of}` : null, "data-sort": field, onclick: () => resort(next) }, name);
  return h("th", { scope: "col", "aria-sort": isSorted ? direction : null }, button);
}

function customerLine(row, state, range) {
  const link = h("a", { href: customerAddress(row.customer_id, state, range) }, h("bdi", {}, row.customer_id));
  const cells = COLUMNS.map((column) => column.cell(row));
  return h("tr", {}, h("th", { scope: "row" }, link), h("td", { class: "spark" }, spark(row.daily_requests)), ...cells);
}

/** Requests of each day as bars, each customer to its own scale; the numbers are in the other cells. */
function spark(requests) {
  const highest = Math.max(1, ...requests);
  const shape = requests.map((value, index) => {
    const height = value ? Math.max(1, (value / highest) * SPARK_PX) : 0;
    return height ? `M${index * BAR_PX} ${SPARK_PX}v${-height.toFixed(1)}h${BAR_PX - 1}V${SPARK_PX}z` : "";
  });
  const [width, viewBox] = [BAR_PX * requests.length, `0 0 ${BAR_PX * requests.length} ${SPARK_PX}`];
  return svg("svg", { width, height: SPARK_PX, viewBox, "aria-hidden": "true" }, svg("path", { class: "bar success", d: shape.join("") }));
}

/** The day that is so many days before another. */
export function daysBefore(text, days) {
  return toText(toDay(text) - days);
}
