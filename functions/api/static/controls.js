// The controls of a report: they show the state, and tell what becomes of it.

import { byId } from "./dom.js";
import { readObjective } from "./objective.js";
import { isDay, toDay, toText } from "./periods.js";

const TYPING_MS = 400; // a date field changes with every key

let bounds = null; // the first and last day that the buttons can choose, as far as it is known

/** Listen to the controls; `change(part of the state)` is told what is new. */
export function listen(change) {
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
    button.addEventListener("click", () => change(preset(button.dataset.days, bounds)));
  }
}

/** The days of a preset: so many up to the customer's last, or all. */
function preset(days, { first, last }) {
  return { from: days === "all" ? first : toText(toDay(last) - Number(days) + 1), to: last };
}

/** Show the state in the controls, whose buttons end at the last of the days that are `known`. */
export function showControls(state, range, known) {
  bounds = known;
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
