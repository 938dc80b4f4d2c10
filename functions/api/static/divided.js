// A table of what requests are divided into, sortable, 20 at a time: the routes of a customer, or the customers of a route.

import { askJson } from "./api.js";
import { byId, h, svg } from "./dom.js";
import { plural } from "./format.js";
import { COLUMNS, sortHeading } from "./ranking.js";

/** The most used first. */
export const USUAL_ORDER = "-total_requests";

const DIVIDED_ROWS = 20;
const DIVIDED_COLUMNS = COLUMNS.filter(({ field }) => !field.startsWith("change_"));
const [MIX_WIDTH, MIX_HEIGHT] = [80, 12];
const KINDS = [
  ["success", "success_requests"],
  ["client", "client_errors"],
  ["server", "server_errors"],
];

/**
 * Ask for the first rows and show them. Returns the number of days that are not divided.
 *
 * part: path(query), field and name of what names a row, label of the table, order, nothing: words for no rows,
 * link(row's name) → its address. `reorder(order)` is told a new order; `failed` what goes wrong later.
 */
export async function showDivided(place, part, { signal, failed, reorder }) {
  let { order } = part;
  const [body, head] = [h("tbody"), h("tr")];
  const more = h("button", { type: "button", hidden: true }, "Show more");
  const load = async (after) => {
    const asked = order;
    const answer = await askJson(part.path({ sort: order, limit: DIVIDED_ROWS, ...after }), signal);
    if (asked !== order) return answer; // another order has been chosen meanwhile
    if (!after) body.replaceChildren();
    body.append(...answer.rows.map((row) => dividedLine(row, part)));
    drawToOneScale(body);
    more.hidden = answer.next === null;
    more.onclick = () => load({ after: answer.next }).catch(failed);
    return answer;
  };
  const showHead = () => {
    const [first, ...others] = [{ field: part.field, name: part.name, first: "" }, ...DIVIDED_COLUMNS].map((column) =>
      sortHeading(column, order, (next) => {
        order = next;
        reorder(order);
        showHead();
        head.querySelector(`[data-sort="${column.field}"]`).focus();
        load().catch(failed);
      }),
    );
    head.replaceChildren(first, h("th", { scope: "col" }, "2xx–3xx, 4xx, 5xx"), ...others);
  };
  const answer = await load();
  showHead();
  const table = h("table", { class: "sortable" }, h("thead", {}, head), body);
  place.removeAttribute("role");
  if (answer.rows.length) place.replaceChildren(h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": part.label }, table), more);
  else place.replaceChildren(h("p", { class: "hint" }, part.nothing));
  return answer.days_without_breakdown;
}

function dividedLine(row, { field, link }) {
  const name = h("th", { scope: "row" }, h("a", { href: link(row[field]) }, h("bdi", {}, row[field])));
  return h("tr", {}, name, h("td", { class: "spark" }, mix(row)), ...DIVIDED_COLUMNS.map((column) => column.cell(row)));
}

/** Requests as a bar by their outcome; the numbers are in the other cells. */
function mix(row) {
  let x = 0;
  const parts = KINDS.map(([kind, field]) => {
    const part = svg("rect", { class: `bar ${kind}`, x, width: row[field], height: MIX_HEIGHT });
    x += row[field];
    return part;
  });
  return svg("svg", { width: MIX_WIDTH, height: MIX_HEIGHT, preserveAspectRatio: "none", "data-width": x, "aria-hidden": "true" }, ...parts);
}

/** The longest of the bars that are shown fills its place. */
function drawToOneScale(body) {
  const bars = [...body.querySelectorAll("svg")];
  const longest = Math.max(...bars.map((bar) => Number(bar.dataset.width)), 1);
  for (const bar of bars) bar.setAttribute("viewBox", `0 0 ${longest} ${MIX_HEIGHT}`);
}

/** Say how many days with requests a part does not have. */
export function sayMissing(name, days) {
  const hint = byId(`${name}-missing`);
  hint.hidden = !days;
  hint.textContent =
    `${plural(days, "day")} with requests ${days === 1 ? "is" : "are"} missing here, ingested before days were divided, or without this part. ` +
    "“logstats ingest --again” divides the days of a log that counts already.";
}
