// What every chart has: axes, periods without requests hatched, and a cursor for mouse, touch and keyboard.

import { h, svg } from "./dom.js";
import { axisLabels, periodName } from "./periods.js";

const HEIGHT = 216;
const TOP = 10;
const BOTTOM = 26;
const RIGHT = 36; // for the names of lines
const LABEL_WIDTH = 50;

/**
 * Draw a chart into its place.
 *
 * spec: title, unit, scale (of scale.js), format (of a tick), draw(area) → SVG nodes, legend: the items of the
 * legend as {kind, name, value(row)}. view: starts, rows by period, interval, select(index).
 */
export function chart(place, legend, view, spec) {
  const width = Math.max(place.clientWidth, 240);
  const left = width < 480 ? 56 : 62;
  const band = (width - left - RIGHT) / view.starts.length;
  const area = {
    left,
    band,
    right: width - RIGHT,
    top: TOP,
    bottom: HEIGHT - BOTTOM,
    x: (index) => left + index * band,
    middle: (index) => left + (index + 0.5) * band,
    y: (value) => HEIGHT - BOTTOM - spec.scale.at(value) * (HEIGHT - TOP - BOTTOM),
  };
  const line = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": spec.title },
    ...axes(area, view.starts, spec),
    ...gaps(area, view, place.id),
    ...spec.draw(area),
    line,
  );
  const slider = h("input", {
    type: "range",
    min: 0,
    max: view.starts.length - 1,
    value: view.starts.length - 1,
    "aria-label": `${spec.title}: move through the ${view.interval}s`,
    oninput: () => view.select(Number(slider.value)),
    onfocus: () => view.select(Number(slider.value)),
    onblur: () => view.select(null),
  });
  place.replaceChildren(picture, slider);
  followPointer(place, picture, slider, area, width, view);
  const showLegend = drawLegend(legend, view, spec);
  showLegend(null);

  return (index) => {
    line.setAttribute("visibility", index === null ? "hidden" : "visible");
    if (index !== null) {
      for (const end of ["x1", "x2"]) line.setAttribute(end, area.middle(index));
      slider.value = index;
    }
    slider.setAttribute("aria-valuetext", describe(view, spec, index ?? Number(slider.value)));
    showLegend(index);
  };
}

function axes(area, starts, spec) {
  const rules = spec.scale.ticks.map((tick) =>
    svg("line", { class: "rule", x1: area.left, x2: area.right, y1: area.y(tick), y2: area.y(tick) }),
  );
  const values = spec.scale.ticks.map((tick) =>
    svg("text", { class: "tick", x: area.left - 8, y: area.y(tick) + 4, "text-anchor": "end" }, spec.format(tick)),
  );
  const labels = axisLabels(starts, Math.floor((area.right - area.left) / LABEL_WIDTH));
  const days = labels.flatMap(([index, label]) => [
    svg("line", { class: "mark", x1: area.x(index), x2: area.x(index), y1: area.bottom, y2: area.bottom + 5 }),
    svg("text", { class: "tick", x: area.x(index), y: area.bottom + 18, "text-anchor": "start" }, label),
  ]);
  return [...rules, ...values, ...days];
}

/** Hatch every run of periods without requests. */
function gaps(area, { starts, rows }, id) {
  const hatch = svg(
    "pattern",
    { id: `${id}-hatch`, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { class: "hatch", width: 1.5, height: 6 }),
  );
  const runs = [];
  starts.forEach((_, index) => {
    if (rows[index]) return;
    if (index && !rows[index - 1]) runs.at(-1)[1] += 1;
    else runs.push([index, 1]);
  });
  const rectangle = ([index, length]) =>
    svg("rect", {
      ...{ class: "gap", fill: `url(#${id}-hatch)`, x: area.x(index), width: area.band * length },
      ...{ y: area.top, height: area.bottom - area.top },
    });
  return [svg("defs", {}, hatch), ...runs.map(rectangle)];
}

function followPointer(place, picture, slider, area, width, view) {
  const at = (event) => {
    const box = picture.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    return Math.min(Math.max(Math.floor((x - area.left) / area.band), 0), view.starts.length - 1);
  };
  place.onpointermove = (event) => view.select(at(event));
  place.onpointerleave = () => view.select(null);
  place.onclick = (event) => {
    slider.value = at(event);
    slider.focus({ preventScroll: true });
    view.select(at(event));
  };
}

function drawLegend(legend, view, spec) {
  const period = h("li", { class: "period" });
  const values = spec.legend.map(() => h("span", { class: "value" }));
  const items = spec.legend.map((item, index) =>
    h("li", {}, h("i", { class: `key ${item.kind}`, "aria-hidden": "true" }), `${item.name} `, values[index]),
  );
  const none = h("li", {}, h("i", { class: "key none", "aria-hidden": "true" }), "no requests");
  const hasGaps = view.starts.some((_, index) => !view.rows[index]);
  legend.replaceChildren(period, ...items, ...(hasGaps ? [none] : []));
  return (index) => {
    const row = index === null ? null : view.rows[index];
    period.textContent = index === null ? "" : periodName(view.starts[index], view.interval);
    spec.legend.forEach((item, number) => {
      values[number].textContent = row ? item.value(row) : "";
    });
    none.classList.toggle("strong", index !== null && !row);
  };
}

function describe({ starts, rows, interval }, spec, index) {
  const item = ({ name, value }) => (value(rows[index]) ? [`${name} ${value(rows[index])}`] : []);
  const values = rows[index] ? spec.legend.flatMap(item) : ["no requests"];
  return `${periodName(starts[index], interval)}: ${values.join(", ")}`;
}
