// A heat map of the hours of a range: a row for each day, a column for each hour of the day, and the same as a table.

import { ask, customerPath } from "./api.js";
import { byId, h, svg, tableOf } from "./dom.js";
import { count, duration, plural } from "./format.js";
import { dayName, periodName, periods, shortDayName, toDay } from "./periods.js";

/** Longer ranges would be taller than a screen. */
export const MOST_DAYS_OF_HOURS = 31;

const HOURS = 24;
const LEVELS = 5;
const [ROW_PX, FOOT_PX, NARROW_PX] = [17, 24, 480];
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

let watching = null; // the width of what is drawn

/** Ask for the hours of a customer and show them. Returns the number of days that are not divided into hours. */
export async function showHours(place, state, { from, to }, { signal, rezone, change }) {
  watching?.disconnect();
  const [zone, measure] = [state.tz ?? "UTC", byId("measure")];
  showZones(zone);
  const query = { from, to, interval: "hour", ...(state.tz ? { tz: zone } : {}) };
  const answer = await ask(customerPath(state.customer, "stats", query), signal);
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

function drawHours(place, view, shown) {
  const width = Math.max(place.clientWidth, 240);
  const name = width < NARROW_PX ? shortDayName : (day) => periodName(day, "day").slice(0, -5);
  const left = width < NARROW_PX ? 52 : 82;
  const [cell, foot] = [(width - left) / HOURS, view.days.length * ROW_PX];
  const all = [...view.cells.values()].map(shown.of);
  const highest = Math.max(...all, 0);
  const levels = shown.write === count ? Math.min(LEVELS, Math.max(highest, 1)) : LEVELS;
  const level = (value) => (highest ? Math.ceil((value * levels) / highest) : 0);
  const at = (index) => ({ x: left + (index % HOURS) * cell, y: Math.floor(index / HOURS) * ROW_PX });
  const rowsAt = (index) => view.cells.get(keyOf(view, index));
  const size = { width: Math.max(cell - 1, 1), height: ROW_PX - 1 };
  const squares = Array.from({ length: view.days.length * HOURS }, (_, index) => {
    const rows = rowsAt(index);
    return svg("rect", { class: rows ? `heat level${level(shown.of(rows))}` : "heat none", ...at(index), ...size });
  });
  const every = width < NARROW_PX ? 6 : 3;
  const labels = view.days.map((day, row) => svg("text", { class: "tick", x: left - 8, y: row * ROW_PX + 12, "text-anchor": "end" }, name(day)));
  for (let hour = 0; hour < HOURS; hour += every) labels.push(svg("text", { class: "tick", x: left + hour * cell, y: foot + 16 }, `${hour}:00`));
  const cursor = svg("rect", { class: "outline", ...size, visibility: "hidden" });
  const height = foot + FOOT_PX;
  const title = `${shown.name} per hour`;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: shown.kind, role: "img", "aria-label": title }, ...labels, ...squares, cursor);
  const tell = legendOf(shown, levels, highest, all.find((value) => !value));
  const slider = h("input", { type: "range", min: 0, max: squares.length - 1, value: 0, "aria-label": `${title}: move through the hours, up and down through the days` });
  const select = (index) => {
    cursor.setAttribute("visibility", index === null ? "hidden" : "visible");
    for (const [key, value] of Object.entries(index === null ? {} : at(index))) cursor.setAttribute(key, value);
    if (index !== null) slider.value = index;
    const rows = rowsAt(Number(slider.value));
    const value = rows ? `${shown.name} ${shown.write(shown.of(rows))}` : "no requests";
    const hour = hourName(rows?.[0].hour ?? keyOf(view, Number(slider.value)), view.isUtc);
    slider.setAttribute("aria-valuetext", `${hour}: ${value}`);
    tell(index === null ? "" : `${hour}: ${value}`);
  };
  const pointed = (event) => {
    const box = picture.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left - left, event.clientY - box.top];
    const isInside = x >= 0 && y >= 0 && x < cell * HOURS && y < foot;
    return isInside ? Math.floor(y / ROW_PX) * HOURS + Math.floor(x / cell) : null;
  };
  slider.oninput = slider.onfocus = () => select(Number(slider.value));
  slider.onblur = () => select(null);
  slider.onkeydown = (event) => {
    const days = { ArrowUp: -HOURS, ArrowDown: HOURS }[event.key];
    if (!days) return;
    event.preventDefault();
    const next = Number(slider.value) + days;
    if (next >= 0 && next < squares.length) select(next);
  };
  place.onpointermove = (event) => select(pointed(event));
  place.onpointerleave = () => select(null);
  place.onclick = (event) => {
    slider.focus({ preventScroll: true });
    select(pointed(event));
  };
  place.replaceChildren(picture, slider);
  select(null);
}

function keyOf({ days }, index) {
  return `${days[Math.floor(index / HOURS)]}T${String(index % HOURS).padStart(2, "0")}`;
}

/** An hour in words, with its offset where the zone is not UTC: Tue 3 Sep 2024, 14:00 +02:00. */
function hourName(text, isUtc) {
  const time = text.length > 13 ? text.slice(11, 16) : `${text.slice(11)}:00`;
  return `${periodName(text.slice(0, 10), "day")}, ${time}${isUtc ? "" : ` ${text.slice(19)}`}`.trimEnd();
}

/** Show what the colours mean; returns what tells the hour under the pointer. */
function legendOf({ kind, write }, levels, highest, least) {
  const legend = byId("hours-legend");
  const item = (level, text) => h("li", {}, h("i", { class: `key ${level}`, "aria-hidden": "true" }), text);
  const bound = (level) => (levels < LEVELS || write !== count ? (highest * level) / levels : Math.floor((highest * level) / levels));
  const colours = highest ? Array.from({ length: levels }, (_, index) => item(`level${index + 1}`, `≤\u00a0${write(bound(index + 1))}`)) : [];
  const hour = h("li", { class: "period" });
  legend.setAttribute("class", `legend ${kind}`);
  legend.replaceChildren(hour, item("blank", "no requests"), ...(least === undefined ? [] : [item("level0", write(least))]), ...colours);
  return (words) => {
    hour.textContent = words;
  };
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
