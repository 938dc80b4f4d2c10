// The customers to choose from, and the files that were ingested.

import { firstPage } from "./paged.js";
import { h, show } from "./dom.js";
import { count, instant, plural } from "./format.js";
import { dayName } from "./periods.js";
import { writeState } from "./state.js";

/** Show all customers, or how to get some; return how many the first page has. */
export async function showWelcome(place, state, signal, failed) {
  const body = h("tbody");
  const page = h("div");
  const add = (customers) => body.append(...customers.map((customer) => customerLine(customer, state)));
  const number = await firstPage(page, "customers?limit=50", "customers", add, signal, failed);
  const heading = h("tr", {}, ...["Customer", "First day", "Last day", "Requests"].map((text) => h("th", { scope: "col" }, text)));
  const table = scroll("Table of customers", h("table", { class: "customers" }, h("thead", {}, heading), body));
  if (number) show(place, h("h1", {}, "Customers"), table, page);
  else show(place, ...emptyDatabase());
  return number;
}

function customerLine({ customer_id: id, first_date: first, last_date: last, total_requests: total }, state) {
  const address = writeState({ ...state, customer: id, from: null, to: null });
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, h("a", { href: address }, h("bdi", {}, id))),
    ...[first, last].map((day) => h("td", {}, h("time", { datetime: day }, dayName(day)))),
    h("td", {}, h("data", { value: total }, count(total))),
  );
}

function emptyDatabase() {
  const command = (text) => h("pre", { tabindex: "0" }, h("code", {}, text));
  return [
    h("h1", {}, "No statistics yet"),
    h("p", {}, "Upload a log, or ingest a local one; then reload this page."),
    command("aws s3 cp api_requests.log s3://<bucket>/"),
    command("logstats ingest api_requests.log"),
    h("p", { class: "hint" }, "A file that was read but had no valid line is listed below."),
    h("button", { type: "button", onclick: () => location.reload() }, "Look again"),
  ];
}

/** Show the ingested files, newest first. */
export async function showIngestions(place, signal, failed) {
  const body = h("tbody");
  const page = h("div");
  const names = ["Committed", "File", "Outcome", "Lines", "Accepted", "Rejected", "Customer days", "Took"];
  const add = (files) => body.append(...files.map(fileLine));
  const number = await firstPage(page, "ingestions?limit=20", "ingestions", add, signal, failed);
  const heading = h("tr", {}, ...names.map((text) => h("th", { scope: "col" }, text)));
  const table = scroll("Table of files", h("table", { class: "files" }, h("thead", {}, heading), body));
  place.replaceChildren(...(number ? [table, page] : [h("p", { class: "hint" }, "None yet.")]));
}

function fileLine(file) {
  const name = file.bucket === "file" ? file.key : `s3://${file.bucket}/${file.key}`;
  const number = (field) => h("td", {}, h("data", { value: file[field], "data-field": field }, count(file[field])));
  return h(
    "tr",
    {},
    h("td", {}, h("time", { datetime: file.committed_at }, instant(file.committed_at))),
    h("th", { scope: "row" }, h("bdi", {}, name)),
    h("td", {}, h("span", { class: `outcome ${file.outcome}` }, file.outcome)),
    number("lines"),
    h("td", {}, h("data", { value: file.accepted, "data-field": "accepted" }, count(file.accepted)), ...expired(file)),
    h("td", {}, h("data", { value: file.rejected, "data-field": "rejected" }, count(file.rejected)), ...reasons(file)),
    number("customer_days"),
    h("td", {}, file.seconds === null ? "" : `${file.seconds.toFixed(2)}\u00a0s`),
  );
}

function expired({ expired: number }) {
  return number ? [h("ul", { class: "reasons", "aria-label": "Do not count" }, h("li", {}, `${count(number)} expired`))] : [];
}

function reasons({ rejected_by_reason: byReason }) {
  const items = Object.entries(byReason).map(([reason, number]) => h("li", {}, `${count(number)} ${reason}`));
  return items.length ? [h("ul", { class: "reasons", "aria-label": plural(items.length, "reason") }, ...items)] : [];
}

function scroll(label, ...children) {
  return h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": label }, ...children);
}
