// One customer: its report, and the way to the others.

import { isUnaskable, statsPath } from "./api.js";
import { showBreakdown } from "./breakdown.js";
import { showControls } from "./controls.js";
import { byId, h, show } from "./dom.js";
import { offerCsv } from "./downloads.js";
import { plural } from "./format.js";
import { dayName } from "./periods.js";
import { askBounds, askReport, drawCharts, drawReport, rangeOf } from "./report.js";
import { showWay } from "./way.js";

const UNKNOWN = "No log line names this customer. Upper and lower case matter.";

/** Ask for a customer's report and show it. Returns words for the status, what redraws it, and what asks for what is inside the days. */
export async function showCustomer(state, page) {
  const { customer } = state;
  const { signal } = page;
  if (byId("report").hidden) byId("inside").hidden = true; // it is all customers'
  for (const id of ["welcome", "front", "by-route", "ledger"]) byId(id).hidden = true;
  byId("heading").textContent = customer;
  document.title = `\u2068${customer}\u2069 · logstats`; // isolated: a name's direction is its own
  byId("search").value = customer;
  byId("view").hidden = byId("report").hidden = false;
  if (isUnaskable(customer)) return nothing("A browser cannot ask for this name: it takes it for a folder. Use “logstats stats”.");
  const known = askBounds(customer, signal);
  const early = state.from === null || state.to === null ? await known : null;
  if (early === null && (state.from ?? state.to) === null) return nothing(UNKNOWN);
  const range = rangeOf(state, early ?? { last: state.to ?? state.from });
  const [report, bounds] = await Promise.all([askReport(state, range, signal), known]);
  showControls(state, range, bounds);
  showWay(state, range, signal).catch((error) => error.status === 403 || page.failed(error)); // a token for one customer has no list
  if (!report.total) return nothing(bounds ? `No requests in this range. There are some from ${dayName(bounds.first)} to ${dayName(bounds.last)}.` : UNKNOWN);
  byId("message-here").hidden = true;
  byId("numbers").hidden = false;
  const query = { ...range, ...(report.interval === "day" ? {} : { interval: report.interval }) };
  byId("request").textContent = `GET ${statsPath(customer, query)}`;
  offerCsv("table", statsPath(customer, query), `${customer}_${range.from}_${range.to}`, page.failIn);
  drawReport(report, state);
  performance.mark("report");
  return {
    words: `${plural(report.total.total_requests, "request")} on ${plural(report.all.length, report.interval)} of ${report.starts.length}`,
    redraw: (next) => drawCharts(report, next),
    more: () => showBreakdown(state, range, page),
  };
}

function nothing(words) {
  byId("numbers").hidden = byId("inside").hidden = true;
  show(byId("message-here"), h("p", {}, words));
  return { words };
}
