// A list that grows page by page, as far as the API's cursor goes.

import { askJson } from "./api.js";
import { h } from "./dom.js";

/**
 * Add the first page of a list to a place, and a button for more.
 *
 * query: path and parameters without `after`. field: of the answer, the list. add(items): shows them.
 * Returns how many the first page has.
 */
export async function firstPage(place, query, field, add, signal, failed) {
  const more = h("button", { type: "button", hidden: true }, "Show more");
  let after = null;
  const load = async () => {
    const answer = await askJson(after === null ? query : `${query}&after=${encodeURIComponent(after)}`, signal);
    add(answer[field]);
    after = answer.next;
    more.hidden = after === null;
    return answer[field].length;
  };
  more.addEventListener("click", () => load().catch(failed));
  const number = await load();
  place.append(more);
  return number;
}
