/** Making elements. Texts are only ever set as text. */

const SVG = "http://www.w3.org/2000/svg";

export interface Options {
  class?: string;
  /** What a page may style from outside. */
  part?: string;
  text?: string;
  attributes?: Readonly<Record<string, string>>;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  options: Options = {},
  ...children: readonly Node[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (options.class) made.className = options.class;
  if (options.part) made.setAttribute("part", options.part);
  if (options.text !== undefined) made.textContent = options.text;
  for (const [attribute, value] of Object.entries(options.attributes ?? {})) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

export function button(options: Options, onClick: () => void, ...children: readonly Node[]): HTMLButtonElement {
  const made = make("button", options, ...children);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

/** Return a picture that says nothing to a screen reader. path: in a square of 24. */
export function picture(path: string): SVGSVGElement {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path);
  made.append(drawn);
  return made;
}

export const BELL =
  "M12 2a6 6 0 0 0-6 6v4.6L4.3 16a1 1 0 0 0 .9 1.5h13.6a1 1 0 0 0 .9-1.5L18 12.6V8a6 6 0 0 0-6-6zm-2.5 17a2.5 2.5 0 0 0 5 0z";
export const CHECK = "M5 12.5l4.5 4.5L19 7.5";
export const CROSS = "M5 5l14 14M19 5L5 19";
