// The controls of a report: they show the state, and tell what becomes of it.

import { ask, statsPath } from "./api.js";
import { byId, h } from "./dom.js";
import { readObjective } from "./objective.js";
import { isDay, toDay, toText } from "./periods.js";

const TYPING_MS = 400; // a date field changes with every key

/** Listen to the controls; `change(part of the state)` is told what is new. */
export function listen(change, getBounds) {
  let timer = 0;
  const dates = () => {
    const [from, to] = [byId("from").value, byId("to").value];
    if (isDay(from) && isDay(to)) change({ from, to });
  };
  for (const id of ["from", "to"]) {
    byId(id).addEventListener("change", () => {
      clearTimeout(timer);
      timer = setTimeout(dates, TYPING_MS);
    });
  }
  byId("controls").addEventListener("submit", (event) => {
    event.preventDefault();
    dates();
  });
  byId("interval").addEventListener("change", (event) => change({ interval: event.target.value || null }));
  byId("scale").addEventListener("change", (event) => change({ log: event.target.checked }));
  byId("objective").addEventListener("input", (event) => {
    const objective = readObjective(event.target.value);
    if (objective !== null) change({ objective });
  });
  byId("prefix").addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => change({ prefix: event.target.value || null }), TYPING_MS);
  });
  for (const button of document.querySelectorAll("[data-days]")) {
    button.addEventListener("click", () => change(preset(button.dataset.days, getBounds())));
  }
}

/** The days of a preset: so many up to the customer's last, or all. */
function preset(days, { first, last }) {
  return { from: days === "all" ? first : toText(toDay(last) - Number(days) + 1), to: last };
}

/** Show the state in the controls. */
export function showControls(state, range, bounds) {
  byId("from").value = range.from;
  byId("to").value = range.to;
  byId("per").hidden = state.customer === null;
  byId("interval").value = state.interval ?? "";
  if (byId("prefix").value !== (state.prefix ?? "")) byId("prefix").value = state.prefix ?? "";
  byId("scale").checked = state.log;
  if (readObjective(byId("objective").value) !== state.objective) byId("objective").value = state.objective;
  let isLit = false; // one at most: a customer of 30 days has "30 days" and "All" in one
  for (const button of document.querySelectorAll("[data-days]")) {
    button.disabled = bounds === null;
    button.hidden = button.dataset.days === "all" && bounds?.first === null;
    const days = bounds && preset(button.dataset.days, bounds);
    const isShown = !isLit && days?.from === range.from && days?.to === range.to;
    button.setAttribute("aria-pressed", String(isShown));
    isLit ||= isShown;
  }
}

/** The question behind the table. */
export function tableQuery({ from, to, interval }) {
  return { from, to, ...(interval === "day" ? {} : { interval }) };
}

/** Save the API's own CSV of a report. It is fetched, since a link could not carry the token. */
export async function downloadCsv(customer, report) {
  const answer = await ask(statsPath(customer, { ...tableQuery(report), format: "csv" }));
  const address = URL.createObjectURL(await answer.blob());
  const name = `${customer}_${report.from}_${report.to}.csv`.replace(/[^\p{L}\p{N}._-]+/gu, "_");
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
