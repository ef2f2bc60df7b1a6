import type { AttrSpec } from "@codemirror/lang-xml";

// Attributes of MJML's elements, as documented on documentation.mjml.io. The server does not know them: the converter
// passes unknown ones over.
const BOX = ["padding", "padding-top", "padding-right", "padding-bottom", "padding-left"];
const TEXT = [
  "color",
  "font-family",
  "font-size",
  "font-style",
  "font-weight",
  "line-height",
  "letter-spacing",
];
const GROUND = [
  "background-color",
  "background-url",
  "background-repeat",
  "background-size",
  "background-position",
];
const BORDER = ["border", "border-radius", "border-top", "border-bottom", "border-left", "border-right"];
const IMAGE = ["src", "alt", "href", "width", "height", "title", "target", "rel", "srcset", "sizes"];

const ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  mjml: ["lang", "dir"],
  "mj-body": ["background-color", "width"],
  "mj-wrapper": [...GROUND, ...BORDER, ...BOX, "full-width", "text-align"],
  "mj-section": [...GROUND, ...BORDER, ...BOX, "direction", "full-width", "text-align"],
  "mj-group": ["background-color", "direction", "vertical-align", "width"],
  "mj-column": ["background-color", "inner-background-color", ...BORDER, ...BOX, "vertical-align", "width"],
  "mj-hero": [
    ...GROUND,
    ...BOX,
    "height",
    "mode",
    "vertical-align",
    "width",
    "background-height",
    "background-width",
  ],
  "mj-text": [
    ...TEXT,
    ...BOX,
    "align",
    "height",
    "text-decoration",
    "text-transform",
    "container-background-color",
  ],
  "mj-button": [
    ...TEXT,
    ...BORDER,
    ...BOX,
    "align",
    "background-color",
    "container-background-color",
    "height",
    "href",
    "inner-padding",
    "rel",
    "target",
    "text-align",
    "text-decoration",
    "text-transform",
    "title",
    "vertical-align",
    "width",
  ],
  "mj-image": [...IMAGE, ...BORDER, ...BOX, "align", "container-background-color", "fluid-on-mobile"],
  "mj-divider": [
    "border-color",
    "border-style",
    "border-width",
    ...BOX,
    "align",
    "width",
    "container-background-color",
  ],
  "mj-spacer": ["height", ...BOX, "container-background-color"],
  "mj-table": [...TEXT, ...BOX, "align", "border", "cellpadding", "cellspacing", "table-layout", "width"],
  "mj-social": [
    ...TEXT,
    ...BOX,
    "align",
    "border-radius",
    "icon-size",
    "inner-padding",
    "mode",
    "text-decoration",
  ],
  "mj-social-element": [
    ...TEXT,
    ...IMAGE,
    ...BOX,
    "align",
    "background-color",
    "border-radius",
    "icon-size",
    "name",
  ],
  "mj-navbar": ["align", "base-url", "hamburger"],
  "mj-navbar-link": [...TEXT, ...BOX, "href", "target", "rel", "text-decoration", "text-transform"],
  "mj-accordion": ["border", "container-background-color", "font-family", "icon-align", ...BOX],
  "mj-accordion-element": ["background-color", "border", "font-family", "icon-align"],
  "mj-accordion-title": [...TEXT, ...BOX, "background-color"],
  "mj-accordion-text": [...TEXT, ...BOX, "background-color"],
  "mj-carousel": ["align", "border-radius", "icon-width", "left-icon", "right-icon", "thumbnails"],
  "mj-carousel-image": [...IMAGE, "thumbnails-src"],
  "mj-font": ["name", "href"],
  "mj-style": ["inline"],
  "mj-breakpoint": ["width"],
  "mj-class": ["name", ...TEXT, ...BOX, "background-color"],
  "mj-all": [...TEXT, ...BOX],
};

const VALUES: Readonly<Record<string, readonly string[]>> = {
  align: ["left", "center", "right", "justify"],
  "text-align": ["left", "center", "right"],
  "vertical-align": ["top", "middle", "bottom"],
  direction: ["ltr", "rtl"],
  "full-width": ["full-width"],
  "fluid-on-mobile": ["true"],
  "font-weight": ["normal", "bold", "300", "400", "500", "600", "700"],
  "font-style": ["normal", "italic"],
  "text-decoration": ["none", "underline"],
  "text-transform": ["none", "uppercase", "lowercase", "capitalize"],
  target: ["_blank", "_self"],
  inline: ["inline"],
};

/** Attributes that elements of a body share, with their known values. */
export const COMMON_ATTRIBUTES: readonly AttrSpec[] = [
  { name: "css-class", global: true },
  { name: "mj-class", global: true },
  ...Object.entries(VALUES).map(([name, values]): AttrSpec => ({ name, values })),
];

/** Elements of HTML that mails use within texts. */
export const HTML_ELEMENTS: readonly string[] = [
  ...["a", "b", "br", "div", "em", "h1", "h2", "h3", "hr", "i", "img", "li", "ol", "p", "s", "small", "span"],
  ...["strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul"],
];

/** Return the attributes of an element. */
export function attributesOf(name: string): readonly string[] {
  return ATTRIBUTES[name] ?? [];
}
