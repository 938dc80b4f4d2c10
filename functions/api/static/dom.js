// Elements from data. Text is only ever set as text: no markup is parsed, so a name cannot become any.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `on…` properties are listeners, true and false set and omit an attribute. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Find an element of the page. */
export function byId(id) {
  return document.getElementById(id);
}

/** Replace what an element contains, and show it. */
export function show(element, ...children) {
  element.replaceChildren(...children);
  element.hidden = false;
}

/** Make a table of header cells with these texts, and a body. */
export function tableOf(attributes, headings, body) {
  const cells = headings.map((text) => h("th", { scope: "col" }, text));
  return h("table", attributes, h("thead", {}, h("tr", {}, ...cells)), body);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
