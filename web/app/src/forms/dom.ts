/** Elements by script, for pages that need no framework. */

import { PATHS } from "@tenure/react/icons.js";

type Attributes = Readonly<Record<string, string | undefined>>;

/** An element with its attributes and children; attributes that are undefined are left out. */
export function el<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** An element that the page's HTML promises. */
export function find<T extends Element = HTMLElement>(selector: string, within: ParentNode = document): T {
  const element = within.querySelector<T>(selector);
  if (!element) throw new Error(`The page has no ${selector}.`);
  return element;
}

/** A drawing that says nothing which the text beside it does not say. */
export function icon(name: string): SVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  const path = document.createElementNS(namespace, "path");
  const set = (element: Element, attributes: Record<string, string>) => {
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  };
  set(svg, { "data-part": "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" });
  set(path, { d: PATHS[name as keyof typeof PATHS] ?? PATHS.info, fill: "none", stroke: "currentColor" });
  set(path, { "stroke-width": "1.75", "stroke-linecap": "round", "stroke-linejoin": "round" });
  svg.append(path);
  return svg;
}
