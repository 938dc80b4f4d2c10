// The customers to choose from, and the files that were ingested: lists that grow page by page.

import { askJson } from "./api.js";
import { h, show, tableOf } from "./dom.js";
import { count, instant, plural } from "./format.js";
import { dayName } from "./periods.js";
import { writeState } from "./state.js";

const OF_CUSTOMERS = ["Customer", "First day", "Last day", "Requests"];
const OF_FILES = ["Committed", "File", "Outcome", "Format", "Lines", "Accepted", "Rejected", "Skipped", "Customer days", "Took"];

/** Show all customers, or how to get some; return how many the first page has. */
export async function showWelcome(place, state, signal, failed) {
  const line = (customer) => customerLine(customer, state);
  const [number, ...list] = await askList("customers", 50, ["customers", OF_CUSTOMERS, line], signal, failed);
  if (number) show(place, h("h1", {}, "Customers"), ...list);
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
  const [number, ...list] = await askList("ingestions", 20, ["files", OF_FILES, fileLine], signal, failed);
  place.replaceChildren(...(number ? list : [h("p", { class: "hint" }, "None yet.")]));
}

function fileLine(file) {
  const name = file.bucket === "file" ? file.key : `s3://${file.bucket}/${file.key}`;
  const number = (field, ...rest) => h("td", {}, h("data", { value: file[field], "data-field": field }, count(file[field])), ...rest);
  const reasons = Object.entries(file.rejected_by_reason).map(([reason, many]) => `${count(many)} ${reason}`);
  return h(
    "tr",
    {},
    h("td", {}, h("time", { datetime: file.committed_at }, instant(file.committed_at))),
    h("th", { scope: "row" }, h("bdi", {}, name)),
    h("td", {}, h("span", { class: `outcome ${file.outcome}` }, file.outcome)),
    h("td", {}, file.format ?? "–"),
    number("lines"),
    number("accepted", ...notes("Do not count", file.expired ? [`${count(file.expired)} expired`] : [])),
    number("rejected", ...notes(plural(reasons.length, "reason"), reasons)),
    number("skipped"),
    number("customer_days"),
    h("td", {}, file.seconds === null ? "" : `${file.seconds.toFixed(2)}\u00a0s`),
  );
}

function notes(label, texts) {
  const items = texts.map((text) => h("li", {}, text));
  return items.length ? [h("ul", { class: "reasons", "aria-label": label }, ...items)] : [];
}

/** Ask for a list; return how many its first page has, the table they are in, and a button for more. */
async function askList(path, limit, [name, headings, line], signal, failed) {
  const body = h("tbody");
  const more = h("button", { type: "button", hidden: true }, "Show more");
  let query = { limit };
  const load = async () => {
    const answer = await askJson(`${path}?${new URLSearchParams(query)}`, signal);
    body.append(...answer[path].map(line));
    query = { limit, after: answer.next };
    more.hidden = answer.next === null;
    return answer[path].length;
  };
  more.addEventListener("click", () => load().catch(failed));
  const number = await load();
  const region = { class: "scroll", role: "region", tabindex: "0", "aria-label": `Table of ${name}` };
  return [number, h("div", region, tableOf({ class: name }, headings, body)), h("div", {}, more)];
}
