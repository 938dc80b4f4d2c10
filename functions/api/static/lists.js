// The files that were ingested, a list that grows page by page, and what is shown where nothing was.

import { askJson } from "./api.js";
import { h, show, tableOf } from "./dom.js";
import { count, instant, plural } from "./format.js";

const FILES = 20;
const OF_FILES = ["Committed", "File", "Outcome", "Format", "Lines", "Accepted", "Rejected", "Skipped", "Customer days", "Took"];

/** Show how to get statistics. Returns a word for the status. */
export function showEmpty(place) {
  const command = (text) => h("pre", { tabindex: "0" }, h("code", {}, text));
  show(
    place,
    h("h1", {}, "No statistics yet"),
    h("p", {}, "Upload a log, or ingest a local one; then reload this page."),
    command("aws s3 cp api_requests.log s3://<bucket>/"),
    command("logstats ingest api_requests.log"),
    h("p", { class: "hint" }, "A file that was read but had no valid line is listed below."),
    h("button", { type: "button", onclick: () => location.reload() }, "Look again"),
  );
  return "There are no statistics yet.";
}

/** Show the ingested files, newest first; later pages tell `failed` what goes wrong. */
export async function showIngestions(place, signal, failed) {
  const body = h("tbody");
  const more = h("button", { type: "button", hidden: true }, "Show more");
  const ask = async (after) => {
    const { ingestions, next } = await askJson(`ingestions?${new URLSearchParams({ limit: FILES, ...after })}`, signal);
    body.append(...ingestions.map(fileLine));
    more.hidden = next === null;
    more.onclick = () => ask({ after: next }).catch(failed);
    return ingestions.length;
  };
  const region = { class: "scroll", role: "region", tabindex: "0", "aria-label": "Table of files" };
  if (await ask({})) place.replaceChildren(h("div", region, tableOf({ class: "files" }, OF_FILES, body)), more);
  else place.replaceChildren(h("p", { class: "hint" }, "None yet."));
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
