/** Elements by script, for pages that need no framework. */

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

// As the React kit draws them.
const PATHS = {
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 4v5l3.5 2",
  door: "M14 4H6v16h8M10 12h10m-3.5-3.5L20 12l-3.5 3.5",
  shield: "M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6L12 3Zm0 5v4.5m0 3v.01",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Zm0 8v5m0-8.5v.01",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6Z",
  eyeOff:
    "M4 4l16 16M9.5 5.8A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a16 16 0 0 1-3 3.7M6 7.5A15 15 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 4-1",
  close: "M6 6l12 12M18 6L6 18",
};

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
