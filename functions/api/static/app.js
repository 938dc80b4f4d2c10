// The page: what its address says is asked of the API and shown.

import { hasToken, isUnaskable, statsPath, useToken } from "./api.js";
import { completeCustomers } from "./combobox.js";
import { downloadCsv, listen, showControls, tableQuery } from "./controls.js";
import { byId, show } from "./dom.js";
import { plural } from "./format.js";
import { showIngestions, showWelcome } from "./lists.js";
import { showError } from "./messages.js";
import { dayName } from "./periods.js";
import { askBounds, askReport, drawCharts, drawReport, rangeOf } from "./report.js";
import { readState, writeState } from "./state.js";

const SLOW_MS = 150; // an answer that comes sooner needs no word about waiting

let state = readState(location.search);
let report = null;
let bounds = null;
let asking = new AbortController();
let stopCountdown = () => {};

/** Ask for what the state says, and show it. */
async function load() {
  asking.abort();
  stopCountdown();
  asking = new AbortController();
  const { signal } = asking;
  const waiting = setTimeout(() => tell("Loading …"), SLOW_MS);
  document.body.setAttribute("aria-busy", "true");
  const failed = (error) => {
    if (error.name === "AbortError") return;
    tell("");
    stopCountdown = showError(byId("message"), error, load);
  };
  try {
    const done = await (state.customer === null ? welcome(signal, failed) : showReport(signal));
    clearTimeout(waiting);
    tell(done);
    byId("message").hidden = true;
    await ingestions(signal);
  } catch (error) {
    if (state.customer !== null && !signal.aborted) byId("numbers").hidden = true;
    if (!(error instanceof Error)) throw error;
    failed(error);
  } finally {
    clearTimeout(waiting);
    if (!signal.aborted) document.body.removeAttribute("aria-busy");
  }
  byId("forget-token").hidden = !hasToken();
}

async function welcome(signal, failed) {
  byId("report").hidden = true;
  document.title = "logstats";
  const number = await showWelcome(byId("welcome"), state, signal, failed);
  return number ? "" : "There are no statistics yet.";
}

async function showReport(signal) {
  byId("welcome").hidden = true;
  byId("customer").textContent = state.customer;
  document.title = `\u2068${state.customer}\u2069 · logstats`; // isolated: a name's direction is its own
  byId("search").value = state.customer;
  byId("report").hidden = false;
  if (isUnaskable(state.customer)) return nothing("A browser cannot ask for this name: it takes it for a folder. Use “logstats stats”.");
  const known = askBounds(state.customer, signal);
  if (state.from === null || state.to === null) bounds = await known;
  if (bounds === null && (state.from ?? state.to) === null) {
    if ((await known) === null) return nothing("No log line names this customer. Upper and lower case matter.");
  }
  const range = rangeOf(state, bounds ?? { last: state.to ?? state.from });
  const [answered, found] = await Promise.all([askReport(state, range, signal), known]);
  bounds = found;
  showControls(state, range, bounds);
  report = answered;
  if (!report.total) return nothing(bounds ? `No requests in this range. There are some from ${dayName(bounds.first)} to ${dayName(bounds.last)}.` : "No log line names this customer. Upper and lower case matter.");
  byId("message-here").hidden = true;
  byId("numbers").hidden = false;
  byId("request").textContent = `GET ${statsPath(state.customer, tableQuery(report))}`;
  drawReport(report, state);
  performance.mark("report");
  return `${plural(report.total.total_requests, "request")} on ${plural(report.all.length, report.interval)} of ${report.starts.length}`;
}

function nothing(words) {
  report = null;
  byId("numbers").hidden = true;
  const text = document.createElement("p");
  text.textContent = words;
  show(byId("message-here"), text);
  return words;
}

async function ingestions(signal) {
  byId("files").hidden = false;
  const place = byId("ingestions");
  const failed = (error) => {
    if (error.name !== "AbortError") stopCountdown = showError(place, error, load);
  };
  try {
    await showIngestions(place, signal, failed);
  } catch (error) {
    if (error.status === 403) place.textContent = "Your token is for one customer; it may not list files.";
    else failed(error);
  }
}

function tell(words) {
  byId("status").textContent = words;
}

/** Change the state and the address; ask again only if other numbers are needed. */
function change(part) {
  const next = { ...state, ...part };
  const address = writeState(next) || location.pathname;
  if (next.customer !== state.customer) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  const redraw = ["customer", "from", "to", "interval"].every((name) => next[name] === state[name]);
  state = next;
  if (redraw && report) drawCharts(report, state);
  else load();
}

completeCustomers(byId("search"), byId("suggestions"), byId("search-hint"), (customer) =>
  change(customer === state.customer ? {} : { customer, from: null, to: null }),
);
listen(change, () => bounds);
byId("csv").addEventListener("click", () => downloadCsv(state.customer, report).catch((error) => showError(byId("message"), error, load)));
byId("forget-token").addEventListener("click", () => {
  useToken("");
  load();
});
addEventListener("popstate", () => {
  state = readState(location.search);
  load();
});
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width && report) drawCharts(report, state);
  width = innerWidth;
});
load();
