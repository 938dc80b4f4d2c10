// A heat map of hours: a row for each day, a column for each hour of the day.

import { byId, h, svg } from "./dom.js";
import { count } from "./format.js";
import { periodName, shortDayName } from "./periods.js";

const HOURS = 24;
const LEVELS = 5;
const [ROW_PX, FOOT_PX, NARROW_PX] = [17, 24, 480];

/** Draw the cells of a view; `shown` is what a cell shows of its hour. */
export function drawHours(place, view, shown) {
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
export function hourName(text, isUtc) {
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
