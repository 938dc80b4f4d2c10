// The totals of a range, and what they mean for the objective.

import { h, show } from "./dom.js";
import { count, duration, percent, plural, share, uptime } from "./format.js";
import { allowance, missed } from "./objective.js";
import { periodName } from "./periods.js";

/** A number as text, with the API's own value beside it for programs. */
const data = (value, text) => h("data", { value }, text);

/** Show the totals: one row of the API, of `interval=total`. */
export function showTotals(place, total) {
  const requests = total.total_requests;
  const part = (field) => [data(total[field], count(total[field])), h("small", {}, share(total[field], requests))];
  const time = (name) => h("span", {}, h("small", {}, `${name} `), data(total[`duration_${name}`], duration(total[`duration_${name}`])));
  const tiles = [
    ["", "Requests", [data(requests, count(requests))]],
    ["success", "Success", part("success_requests")],
    ["client", "Client errors (4xx)", part("client_errors")],
    ["server", "Server errors (5xx)", part("server_errors")],
    ["", "Uptime", [data(total.uptime_percentage, uptime(requests, total.server_errors))]],
    ["", "Median latency", [data(total.duration_p50, duration(total.duration_p50))]],
  ];
  const timed = total.timed_requests;
  const latencies = ["mean", "p90", "p95", "p99", "max"].map(time);
  if (timed < requests) latencies.push(h("small", {}, `of ${plural(timed, "request")} with a duration`));
  place.replaceChildren(
    ...tiles.map(([kind, name, value]) => h("div", { class: `tile ${kind}` }, h("dt", {}, name), h("dd", {}, ...value))),
    h("div", { class: "tile wide" }, h("dt", {}, "Latency"), h("dd", {}, ...latencies)),
  );
}

/** Say which periods missed the objective, and how many server errors it allows. */
export function showObjective(place, rows, total, objective, interval) {
  const bad = rows.filter((row) => missed(row, objective));
  const allowed = allowance(total.total_requests, objective);
  const verdict = bad.length
    ? `${count(bad.length)} of ${plural(rows.length, interval)} with requests missed ${percent(objective)}.`
    : `All ${plural(rows.length, interval)} with requests met ${percent(objective)}.`;
  const budget =
    `Over the range it allows ${plural(allowed, "server error")} in ${plural(total.total_requests, "request")}; ` +
    `there ${total.server_errors === 1 ? "was" : "were"} ${count(total.server_errors)}.`;
  const item = (row) =>
    h("li", {}, h("span", {}, periodName(row.date, interval)), data(row.uptime_percentage, uptime(row.total_requests, row.server_errors)));
  const list = h("details", { class: "missed" }, h("summary", {}, `The ${interval}s that missed it`), h("ul", {}, ...bad.map(item)));
  show(place, h("p", {}, h("strong", {}, verdict), ` ${budget}`), ...(bad.length ? [list] : []));
}
