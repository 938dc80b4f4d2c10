// The status codes of a customer's requests: one bar of all, and a table.

import { askJson, customerPath } from "./api.js";
import { h, svg, tableOf } from "./dom.js";
import { count, share } from "./format.js";

const LEAST_SHARE = 0.004; // what is rare is still a sliver
const LABELLED_SHARE = 0.1;
/** The names of RFC 9110 and RFC 6585; 499 is nginx's. */
const MEANINGS = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  499: "the client closed the connection",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** Ask for the status codes and show them. Returns the number of days that are not divided. */
export async function showStatuses(place, customer, { from, to }, signal) {
  const { rows, days_without_breakdown: missing } = await askJson(customerPath(customer, "statuses", { from, to }), signal);
  place.removeAttribute("role");
  if (!rows.length) {
    place.replaceChildren(h("p", { class: "hint" }, "No request of the range is divided by status code."));
    return missing;
  }
  const total = rows.reduce((sum, row) => sum + row.total_requests, 0);
  const line = ({ status, total_requests: requests }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("i", { class: `key ${kindOf(status)}`, "aria-hidden": "true" }), String(status)),
      h("td", {}, MEANINGS[status] ?? ""),
      h("td", {}, h("data", { value: requests, "data-status": status }, count(requests))),
      h("td", {}, share(requests, total)),
    );
  const table = tableOf({ class: "statuses" }, ["Status", "Meaning", "Requests", "Share"], h("tbody", {}, ...rows.map(line)));
  place.replaceChildren(statusBar(rows, total), h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Table of status codes" }, table));
  return missing;
}

/** All requests as one bar, in the order of the codes; the shares of the frequent ones are written below. */
function statusBar(rows, total) {
  const shares = rows.map((row) => Math.max(row.total_requests / total, LEAST_SHARE));
  const whole = shares.reduce((sum, one) => sum + one, 0);
  let x = 0;
  const parts = rows.flatMap(({ status }, index) => {
    const part = (100 * shares[index]) / whole;
    const place = { x: `${x}%`, width: `${part}%`, y: 0, height: 24 };
    const label = shares[index] < LABELLED_SHARE ? [] : [svg("text", { class: "tick", x: place.x, y: 40 }, String(status))];
    x += part;
    return [svg("rect", { class: `bar ${kindOf(status)}${index % 2 ? " other" : ""}`, ...place }), ...label];
  });
  const words = rows.map((row) => `${row.status} ${share(row.total_requests, total)}`).join(", ");
  return svg("svg", { class: "status-bar", width: "100%", height: 46, role: "img", "aria-label": `Share of each status code: ${words}` }, ...parts);
}

function kindOf(status) {
  if (status >= 500) return "server";
  return status >= 400 ? "client" : "success";
}
