// The hours of a customer: asked for, shown as a heat map, and the same as a table.

import { ask, statsPath } from "./api.js";
import { byId, h, tableOf } from "./dom.js";
import { count, duration, plural } from "./format.js";
import { drawHours, hourName } from "./heatmap.js";
import { dayName, periods, toDay } from "./periods.js";

/** Longer ranges would be taller than a screen. */
export const MOST_DAYS_OF_HOURS = 31;

const sumOf = (field) => (rows) => rows.reduce((sum, row) => sum + row[field], 0);
const highestP99 = (rows) => rows.map((row) => row.duration_p99).reduce((one, other) => (other > one ? other : (one ?? other)), null);
/** What a cell shows of its hour; of an hour that a change of the clock repeats, of both, or the higher one. */
const MEASURED = {
  total_requests: { name: "Requests", kind: "success", of: sumOf("total_requests"), write: count },
  server_errors: { name: "Server errors (5xx)", kind: "server", of: sumOf("server_errors"), write: count },
  client_errors: { name: "Client errors (4xx)", kind: "client", of: sumOf("client_errors"), write: count },
  duration_p99: { name: "p99", kind: "p99", of: highestP99, write: duration },
};
const TABLE = [
  ["Requests", "total_requests", count],
  ["5xx", "server_errors", count],
  ["4xx", "client_errors", count],
  ["p50", "duration_p50", duration],
  ["p99", "duration_p99", duration],
];

/** The address of the hours of a customer, in the zone of the state. */
export function hoursPath({ customer, tz }, range) {
  return statsPath(customer, { ...range, interval: "hour", ...(tz ? { tz } : {}) });
}

let watching = null; // the width of what is drawn

/** Ask for the hours of a customer and show them. Returns the number of days that are not divided into hours. */
export async function showHours(place, state, { from, to }, { signal, rezone, change }) {
  watching?.disconnect();
  const [zone, measure] = [state.tz ?? "UTC", byId("measure")];
  showZones(zone);
  const answer = await ask(hoursPath(state, { from, to }), signal);
  const [rows, missing] = [await answer.json(), Number(answer.headers.get("days-without-breakdown"))];
  if (byId("zone").value !== zone) return missing; // another one has been chosen meanwhile
  const view = { days: periods(toDay(from), toDay(to), "day"), cells: new Map(), isUtc: zone === "UTC" };
  for (const row of rows) {
    const key = row.hour.slice(0, 13);
    view.cells.set(key, [...(view.cells.get(key) ?? []), row]);
  }
  const picture = h("div", { class: "plot" });
  measure.value = state.measure;
  const redraw = () => drawHours(picture, view, MEASURED[measure.value]);
  measure.onchange = () => {
    change({ measure: measure.value });
    redraw();
  };
  byId("zone").onchange = (event) => {
    rezone(event.target.value === "UTC" ? null : event.target.value, measure.value);
  };
  place.removeAttribute("role");
  place.replaceChildren(picture, tableBehind(rows, view.isUtc));
  let width = 0;
  watching = new ResizeObserver(() => {
    if (picture.clientWidth !== width) redraw();
    width = picture.clientWidth;
  });
  watching.observe(picture);
  return missing;
}

/** UTC, the browser's own zone, and the one that the address names. */
function showZones(zone) {
  const zones = new Set(["UTC", Intl.DateTimeFormat().resolvedOptions().timeZone, zone]);
  byId("zone").replaceChildren(...[...zones].map((name) => h("option", { value: name, selected: name === zone }, name)));
}

/** The hours with requests as a table, which is made when it is opened. */
function tableBehind(rows, isUtc) {
  const place = h("div", { class: "scroll tall", role: "region", tabindex: "0", "aria-label": "Table of hours" });
  const line = (row) => {
    const cells = TABLE.map(([, field, write]) => h("td", {}, h("data", { value: row[field] ?? "", "data-field": field }, write(row[field]))));
    return h("tr", { "data-hour": row.hour }, h("th", { scope: "row" }, h("time", { datetime: row.hour }, hourName(row.hour, isUtc))), ...cells);
  };
  const fill = () => {
    if (place.firstChild) return;
    place.append(tableOf({}, ["Hour", ...TABLE.map(([name]) => name)], h("tbody", {}, ...rows.map(line))));
  };
  return h("details", { ontoggle: fill }, h("summary", {}, `The same as a table: ${plural(rows.length, "hour")} with requests`), place);
}

/** Say why there is no heat map of so many days. */
export function refuseHours(place, { from, to }) {
  watching?.disconnect();
  byId("hours-legend").replaceChildren();
  const days = plural(toDay(to) - toDay(from) + 1, "day");
  place.removeAttribute("role");
  place.replaceChildren(h("p", { class: "hint" }, `Hours are shown for ranges of up to ${MOST_DAYS_OF_HOURS} days. This one, ${dayName(from)} – ${dayName(to)}, has ${days}.`));
}
